#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hexquant/tensor.h"

namespace hexquant {

/// How many scales a tensor has.
enum class Granularity { kTensor, kChannel, kGroup };

/// "tensor", "channel" or "group".
[[nodiscard]] const char* granularity_name(Granularity granularity) noexcept;

/// Affine quantization parameters of one tensor, in ONNX words.
///
/// q = clamp(round_half_even(x / scale) + zero_point, q_min, q_max);  x ~ (q - zero_point) * scale.
/// The grid [q_min, q_max] is that of `type`: unsigned 0..2^bits-1, signed
/// -2^(bits-1)..2^(bits-1)-1, except that `strict` drops the lowest signed code (-127..127).
///
/// Shapes: kTensor has one scale; kChannel has one for each index along `axis`; kGroup splits
/// `axis` (the reduction axis) into blocks of `block_size` and has the weight's shape with that
/// axis divided by the block size, row-major. zero_point always has as many entries as scale.
///
/// Two-level scales (LPBQ, kGroup only): the scale of a block is a small integer times the float
/// scale of its channel (the index over all axes but the block axis),
/// scale[s] == block_int_scale[s] * channel_scale[channel] exactly in float. So b-bit codes times
/// integers up to 2^b lie on one 2b-bit grid a channel. Both lists are empty otherwise.
///
/// Source: r = S(q - Z), Jacob et al., arXiv:1712.05877, eq. 1; ONNX QuantizeLinear-21.
struct Encoding {
  DType type = DType::kUInt8;  ///< uint8, int8, uint16, int16, int4, uint4 or int32 (bias)
  /// zero_point is 0 on a signed grid, 2^(bits-1) on an unsigned one
  bool symmetric = false;
  bool strict = false;  ///< signed grid without its lowest code
  Granularity granularity = Granularity::kTensor;
  int axis = 0;                 ///< channel axis, or block axis for kGroup; unused for kTensor
  std::int64_t block_size = 0;  ///< kGroup only
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
  std::vector<std::uint16_t> block_int_scale;  ///< LPBQ: as many as scale
  std::vector<float> channel_scale;            ///< LPBQ: one for each channel

  [[nodiscard]] int bits() const noexcept { return dtype_bits(type); }
  [[nodiscard]] bool has_two_level_scales() const noexcept { return !block_int_scale.empty(); }
  [[nodiscard]] std::int64_t q_min() const noexcept;
  [[nodiscard]] std::int64_t q_max() const noexcept;
  /// Real value of the lowest / highest code of entry `index`.
  [[nodiscard]] double range_min(std::size_t index = 0) const;
  [[nodiscard]] double range_max(std::size_t index = 0) const;
  friend bool operator==(const Encoding&, const Encoding&) = default;
};

/// A closed range of real values.
struct Range {
  float min = 0.0F;
  float max = 0.0F;
  friend bool operator==(const Range&, const Range&) = default;
};

/// Smallest difference max - min that an encoding covers (QNN's rule for asymmetric encodings).
inline constexpr float kMinRange = 1e-4F;

/// The one place where a range becomes a scale and a zero point (per-tensor encoding).
///
/// The range is first widened to contain 0, so that zero padding is exact, and to kMinRange.
/// Asymmetric, unsigned type:  scale = (max - min) / (2^bits - 1), zero_point = round(-min /
/// scale). Symmetric, signed type:     scale = max(|min|, |max|) / (2^(bits-1) - 1), zero_point =
/// 0;
///                             `strict` only changes where codes are clamped.
/// Symmetric, unsigned type: the same values, every code and the zero point 2^(bits-1) higher (the
/// form of symmetric activations in AIMET and QNN; there is no `strict` then).
/// @param type  integer type of 4, 8 or 16 bits; asymmetric signed grids shift the zero point
/// @throws Error(kInvalidArgument) on NaN, infinity, min > max or an unsupported type
[[nodiscard]] Encoding encoding_from_range(Range range, DType type, bool symmetric,
                                           bool strict = false);

/// Integers of one tensor under its encoding; result has the encoding's type (4 bits packed).
/// Ties go to even; NaN becomes the zero point.
/// @throws Error(kInvalidArgument) when the encoding's size does not fit the tensor's shape
[[nodiscard]] Tensor quantize_tensor(const Tensor& values, const Encoding& encoding);

/// (q - zero_point) * scale as float32, the inverse of quantize_tensor.
[[nodiscard]] Tensor dequantize_tensor(const Tensor& codes, const Encoding& encoding);

/// dequantize(quantize(x)), element by element, without the integers in between.
[[nodiscard]] Tensor fake_quantize_tensor(const Tensor& values, const Encoding& encoding);

}  // namespace hexquant
