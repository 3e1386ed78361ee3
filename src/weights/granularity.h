#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hexquant/encoding.h"
#include "hexquant/tensor.h"

namespace hexquant::weights {

/// One way of giving scales to a weight tensor.
struct ScaleChoice {
  const char* name;  ///< "tensor", "channel", "group:128", "group:32"
  Granularity granularity;
  std::int64_t block_size;  ///< kGroup only
};

/// From one scale to many, as in the article's section 1.3.
inline constexpr std::array<ScaleChoice, 4> kScaleChoices = {
    {{"tensor", Granularity::kTensor, 0},
     {"channel", Granularity::kChannel, 0},
     {"group:128", Granularity::kGroup, 128},
     {"group:32", Granularity::kGroup, 32}}};

/// Error of one choice under min-max nearest rounding.
struct ScaleError {
  double squared_error = 0.0;  ///< sum (w - w_q)^2
  double signal = 0.0;         ///< sum w^2
  std::int64_t elements = 0;
  std::int64_t scale_bytes = 0;  ///< float32 scales, and zero points of the codes' width

  [[nodiscard]] double mse() const;
  /// 10 log10(signal / squared_error); +inf when exact, NaN for an empty or all-zero tensor.
  [[nodiscard]] double sqnr_db() const;
  ScaleError& operator+=(const ScaleError& other);
};

/// One weight tensor of a layer: [0] symmetric (-2^(b-1) ... 2^(b-1)-1, zero point 0), [1]
/// asymmetric (0 ... 2^b-1); each in the order of kScaleChoices.
struct GranularityRow {
  std::string weight;
  std::string layer;
  std::string op;
  Shape shape;
  std::array<std::array<ScaleError, kScaleChoices.size()>, 2> errors;
};

/// Errors of all choices for one tensor.
///
/// Groups lie along `reduction_axis`, the axis over which products are summed, so that each output
/// channel keeps scales of its own; an axis shorter than a block is one block. Without channels
/// (channel_axis < 0) "channel" equals "tensor".
/// @param values  float32, finite. Shape: any rank >= 1
/// @param bits    4, 8 or 16
/// @throws Error(kInvalidArgument) on other widths, non-finite values or axes outside the shape
[[nodiscard]] GranularityRow measure_granularity(const Tensor& values, int channel_axis,
                                                 int reduction_axis, int bits);

/// Sum over all rows: errors weighted by elements, because squares and elements are added.
[[nodiscard]] GranularityRow total_granularity(const std::vector<GranularityRow>& rows);

}  // namespace hexquant::weights
