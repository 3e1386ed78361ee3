#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "hexquant/encoding.h"
#include "qat/fake_quantize_kernels.h"

namespace hexquant::qat {

/// What of a grid is learned, and in which terms.
enum class GridParameter {
  kNone,   ///< the encoding is fixed
  kScale,  ///< [n]: the scales (channel scales where there are two levels); zero points stay
  kRange   ///< [2]: lowest and highest value, each divided by the number of steps
};

/// Grid of one tensor as the arithmetic needs it.
struct Grid {
  Encoding encoding;
  /// Fewer codes than the encoding's type has; 0 = all of them.
  int code_bits = 0;
  GridParameter learned = GridParameter::kNone;
  /// True for values that differ from sample to sample: the first axis is the batch.
  bool is_activation = false;

  [[nodiscard]] std::int64_t q_min() const noexcept;
  [[nodiscard]] std::int64_t q_max() const noexcept;
  /// Lowest and highest code of entry `index`, relative to its zero point.
  [[nodiscard]] CodeBounds bounds(std::size_t index) const;
};

/// y = round_half_even(clamp(x / scale, low, high)) * scale, with low = q_min - zero_point and high
/// = q_max - zero_point: the values of quant/fake_quant.h, as long as x has no NaN (they stay NaN).
///
/// Gradients, with u = x / scale, straight through the rounding (Bengio et al., arXiv:1308.3432):
///   dy/dx     = 1 where low <= u <= high, else 0
///   dy/dscale = round(u) - u inside, low below, high above       (LSQ, arXiv:1902.08153, eq. 3)
///   dy/dmax   = (round(u) - u) / steps inside, 1 above, 0 below   (range learning: the same with
///   dy/dmin   = -(round(u) - u) / steps inside, 0 above, 1 below   scale = (max - min) / steps and
///                                                                  zero_point = q_min - min /
///                                                                  scale)
/// kRange parameters are min / steps and max / steps, which are of the size of a scale and so get
/// dy/d(max / steps) = steps dy/dmax. The gradient of a parameter is divided by
/// sqrt(elements * positive codes), elements = those of one scale, in one sample for activations
/// (LSQ, section 2.2): it keeps the relative changes of scales and weights alike.
///
/// @param x          any float32 tensor that fits the encoding
/// @param parameter  leaf of the grid, or undefined for kNone; grid.encoding holds its numbers
[[nodiscard]] torch::Tensor fake_quantize(const torch::Tensor& x, const torch::Tensor& parameter,
                                          const Grid& grid);

}  // namespace hexquant::qat
