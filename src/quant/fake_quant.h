#pragma once

#include <cstdint>

#include "hexquant/encoding.h"
#include "hexquant/tensor.h"

namespace hexquant::quant {

/// Where the scale of each element of a tensor lies: element (outer, position, inner) of the shape
/// split at the encoding's axis uses scale index(outer, position, inner).
struct ScaleLayout {
  std::int64_t outer = 1;
  std::int64_t length = 1;  ///< size of the axis
  std::int64_t inner = 1;
  std::int64_t block = 0;  ///< elements along the axis that share a scale (kGroup)
  Granularity granularity = Granularity::kTensor;

  [[nodiscard]] std::int64_t index(std::int64_t o, std::int64_t position,
                                   std::int64_t i) const noexcept {
    if (granularity == Granularity::kTensor) return 0;
    if (granularity == Granularity::kChannel) return position;
    return (o * blocks() + position / block) * inner + i;
  }
  /// Number of scales the encoding must have.
  [[nodiscard]] std::int64_t scale_count() const noexcept;
  /// kGroup: blocks of a channel; the last one may be shorter.
  [[nodiscard]] std::int64_t blocks() const noexcept { return (length + block - 1) / block; }
  /// kGroup: channels, numbered row-major over all axes but the block axis.
  [[nodiscard]] std::int64_t channels() const noexcept { return outer * inner; }
  /// kGroup: scale of block `b` of a channel.
  [[nodiscard]] std::int64_t block_index(std::int64_t channel, std::int64_t b) const noexcept {
    return (channel / inner * blocks() + b) * inner + channel % inner;
  }
};

/// @throws Error(kInvalidArgument) when the axis, block size or number of scales does not fit, or
/// two-level scales are not the product of their parts.
[[nodiscard]] ScaleLayout scale_layout(const Shape& shape, const Encoding& encoding);

/// Shape of the scale tensor in ONNX: [] per tensor, [C] per channel, blocked shape per group.
[[nodiscard]] Shape scale_shape(const Shape& shape, const Encoding& encoding);

[[nodiscard]] Tensor quantize_values(const Tensor& values, const Encoding& encoding);
[[nodiscard]] Tensor dequantize_values(const Tensor& codes, const Encoding& encoding);
[[nodiscard]] Tensor fake_quantize_values(const Tensor& values, const Encoding& encoding);

}  // namespace hexquant::quant
