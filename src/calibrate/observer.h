#pragma once

#include <string>

#include "hexquant/encoding.h"
#include "quant/statistics.h"

namespace hexquant::calibrate {

/// How a range is chosen from statistics.
enum class ObserverKind {
  kMinMax,      ///< everything that was seen
  kPercentile,  ///< a share of the elements (see ObserverOptions::percentile)
  kMse,         ///< least mean squared error, clipping and rounding weighted alike
  kEntropy,     ///< least Kullback-Leibler divergence of the quantized from the seen distribution
  kSqnr         ///< least squared error with clipping weighted three times ("enhanced")
};

/// "min-max", "percentile", "mse", "entropy", "sqnr". @throws Error(kInvalidArgument) on others,
/// with the list of names.
[[nodiscard]] ObserverKind parse_observer(const std::string& name);
[[nodiscard]] const char* observer_name(ObserverKind kind) noexcept;

struct ObserverOptions {
  ObserverKind kind = ObserverKind::kSqnr;
  /// kPercentile: share of elements inside the range in percent, 50 < p <= 100. Asymmetric:
  /// (100 - p) / 2 percent are cut off at each end; symmetric: p percent of |x| are inside. (As in
  /// ONNX Runtime; QNN's default is 99.99 too.)
  double percentile = 99.99;
};

/// The range an observer chooses for a quantizer of `bits` bits. It contains 0 and lies within the
/// observed range widened to contain 0; [-a, a] when `symmetric` and negative values were seen.
///
/// Exact zeros are left out of every error and distribution: all quantizers hold them exactly.
/// mse, entropy and sqnr evaluate the very grid that encoding_from_range makes of a candidate, for
/// elements spread evenly inside each histogram bin; candidates are a logarithmic grid of both
/// ends, then a pattern search down to one bin width (shrink_range). At 8 bits sqnr follows AIMET's
/// "tf_enhanced" cost, entropy TensorRT's divergence (outliers folded into the edge bins of the
/// reference distribution), with two free ends instead of one.
/// @param symmetric  the grid is signed with zero point 0
/// @throws Error(kInvalidArgument) on a percentile outside (50, 100] or bits outside [2, 16]
[[nodiscard]] Range choose_range(const quant::ValueStatistics& statistics,
                                 const ObserverOptions& options, int bits, bool symmetric);

/// How much more squared error a range makes than the best one (observer mse), dB: 0 = none. Tells
/// min-max beside outliers, and a percentile that cuts off what matters. 0 where the best range has
/// no error.
/// @pre statistics has a histogram
[[nodiscard]] double range_excess_db(const quant::ValueStatistics& statistics, Range range,
                                     int bits, bool symmetric);

}  // namespace hexquant::calibrate
