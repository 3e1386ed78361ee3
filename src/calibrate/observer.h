#pragma once

#include <string>

#include "hexquant/encoding.h"
#include "quant/statistics.h"

namespace hexquant::calibrate {

/// How a range is chosen from statistics.
enum class ObserverKind { kMinMax, kPercentile, kMse, kEntropy, kSqnr };

/// "min-max", "percentile", "mse", "entropy", "sqnr". @throws Error(kInvalidArgument) on others,
/// with the list of names.
[[nodiscard]] ObserverKind parse_observer(const std::string& name);
[[nodiscard]] const char* observer_name(ObserverKind kind) noexcept;

struct ObserverOptions {
  ObserverKind kind = ObserverKind::kSqnr;
  double percentile = 99.99;  ///< kPercentile: share of elements inside the range, 50 < p <= 100
};

/// The range an observer chooses for a quantizer of `bits` bits. It contains 0.
/// @throws Error(kInvalidArgument) on a percentile outside (50, 100]
[[nodiscard]] Range choose_range(const quant::ValueStatistics& statistics,
                                 const ObserverOptions& options, int bits, bool symmetric);

}  // namespace hexquant::calibrate
