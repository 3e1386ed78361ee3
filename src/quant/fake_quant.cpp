#include "quant/fake_quant.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::quant {
namespace {

/// Code of `x` relative to the zero point: round_half_even(x / scale), clamped. The bounds are
/// integers, so clamping first gives the same code and keeps the rounding in range.
std::int64_t relative_code(double x, double scale, double low, double high) noexcept {
  const double steps = x / scale;
  if (!(steps == steps)) return 0;
  return static_cast<std::int64_t>(std::nearbyint(std::clamp(steps, low, high)));
}

/// The same for grids of at most 16 bits: adding and subtracting 1.5 * 2^23 rounds half to even for
/// |steps| < 2^22, without a library call for each element.
std::int64_t relative_code(float x, float scale, float low, float high) noexcept {
  constexpr float kRounder = 12582912.0F;
  const float steps = x / scale;
  if (!(steps == steps)) return 0;
  return static_cast<std::int64_t>((std::clamp(steps, low, high) + kRounder) - kRounder);
}

/// Calls `body(element, code relative to the zero point, scale index)` for every element.
/// int32 grids (biases) are computed in double: float has too few bits for their codes.
template <typename Real, typename Body>
void for_each_code(std::span<const float> values, const ScaleLayout& layout,
                   const Encoding& encoding, const Body& body) {
  std::int64_t element = 0;
  for (std::int64_t o = 0; o < layout.outer; ++o) {
    for (std::int64_t p = 0; p < layout.length; ++p) {
      for (std::int64_t i = 0; i < layout.inner; ++i, ++element) {
        const auto s = static_cast<std::size_t>(layout.index(o, p, i));
        const auto zero = static_cast<std::int64_t>(encoding.zero_point[s]);
        const auto low = static_cast<Real>(encoding.q_min() - zero);
        const auto high = static_cast<Real>(encoding.q_max() - zero);
        body(element,
             relative_code(static_cast<Real>(values[static_cast<std::size_t>(element)]),
                           static_cast<Real>(encoding.scale[s]), low, high),
             s);
      }
    }
  }
}

template <typename Body>
void for_each_code(const Tensor& values, const Encoding& encoding, const Body& body) {
  const ScaleLayout layout = scale_layout(values.shape(), encoding);
  if (encoding.type == DType::kInt32) {
    for_each_code<double>(values.data<float>(), layout, encoding, body);
  } else {
    for_each_code<float>(values.data<float>(), layout, encoding, body);
  }
}

/// scale == block_int_scale * channel_scale, everywhere.
void check_two_levels(const ScaleLayout& layout, const Encoding& encoding) {
  const bool fits = layout.granularity == Granularity::kGroup &&
                    encoding.block_int_scale.size() == encoding.scale.size() &&
                    std::ssize(encoding.channel_scale) == layout.channels();
  if (!fits) {
    throw Error(ErrorCode::kInvalidArgument,
                format("two-level encoding has {} block and {} channel scales for {} blocks of {} "
                       "channels",
                       encoding.block_int_scale.size(), encoding.channel_scale.size(),
                       encoding.scale.size(), layout.channels()));
  }
  for (std::int64_t channel = 0; channel < layout.channels(); ++channel) {
    const float unit = encoding.channel_scale[static_cast<std::size_t>(channel)];
    for (std::int64_t b = 0; b < layout.blocks(); ++b) {
      const auto s = static_cast<std::size_t>(layout.block_index(channel, b));
      if (static_cast<float>(encoding.block_int_scale[s]) * unit == encoding.scale[s]) continue;
      throw Error(ErrorCode::kInvalidArgument,
                  format("scale {} of block {} of channel {} is not {} times {}", encoding.scale[s],
                         b, channel, encoding.block_int_scale[s], unit));
    }
  }
}

void store_code(std::byte* bytes, DType type, std::int64_t element, std::int64_t code) {
  const auto at = static_cast<std::size_t>(element);
  switch (dtype_bits(type)) {
    case 4: {
      const auto nibble = static_cast<unsigned>(code & 0xF) << (at % 2 * 4);
      bytes[at / 2] |= static_cast<std::byte>(nibble);
      return;
    }
    case 8:
      bytes[at] = static_cast<std::byte>(code & 0xFF);
      return;
    case 16:
      reinterpret_cast<std::uint16_t*>(bytes)[at] = static_cast<std::uint16_t>(code & 0xFFFF);
      return;
    default:
      reinterpret_cast<std::int32_t*>(bytes)[at] = static_cast<std::int32_t>(code);
  }
}

}  // namespace

std::int64_t ScaleLayout::scale_count() const noexcept {
  if (granularity == Granularity::kTensor) return 1;
  if (granularity == Granularity::kChannel) return length;
  return outer * blocks() * inner;
}

ScaleLayout scale_layout(const Shape& shape, const Encoding& encoding) {
  ScaleLayout layout;
  layout.granularity = encoding.granularity;
  if (encoding.granularity == Granularity::kTensor) {
    layout.length = element_count(shape);
  } else {
    const auto rank = static_cast<int>(shape.size());
    if (encoding.axis < 0 || encoding.axis >= rank) {
      throw Error(ErrorCode::kInvalidArgument, format("encoding axis {} does not fit shape {}",
                                                      encoding.axis, shape_text(shape)));
    }
    for (int d = 0; d < rank; ++d) {
      std::int64_t& part = d < encoding.axis    ? layout.outer
                           : d == encoding.axis ? layout.length
                                                : layout.inner;
      part *= shape[static_cast<std::size_t>(d)];
    }
  }
  if (encoding.granularity == Granularity::kGroup) {
    if (encoding.block_size < 1) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("block size {} is not positive", encoding.block_size));
    }
    layout.block = encoding.block_size;
  }
  const auto wanted = static_cast<std::size_t>(layout.scale_count());
  if (encoding.scale.size() != wanted || encoding.zero_point.size() != wanted) {
    throw Error(
        ErrorCode::kInvalidArgument,
        format("encoding has {} scales and {} zero points, shape {} needs {}",
               encoding.scale.size(), encoding.zero_point.size(), shape_text(shape), wanted));
  }
  if (encoding.has_two_level_scales()) check_two_levels(layout, encoding);
  return layout;
}

Shape scale_shape(const Shape& shape, const Encoding& encoding) {
  if (encoding.granularity == Granularity::kTensor) return {};
  const auto axis = static_cast<std::size_t>(encoding.axis);
  if (encoding.granularity == Granularity::kChannel) return {shape.at(axis)};
  Shape blocked = shape;
  blocked.at(axis) = (shape.at(axis) + encoding.block_size - 1) / encoding.block_size;
  return blocked;
}

Tensor quantize_values(const Tensor& values, const Encoding& encoding) {
  Tensor codes(encoding.type, values.shape());
  std::byte* bytes = codes.mutable_raw();
  for_each_code(values, encoding, [&](std::int64_t element, std::int64_t code, std::size_t s) {
    store_code(bytes, encoding.type, element, code + encoding.zero_point[s]);
  });
  return codes;
}

Tensor fake_quantize_values(const Tensor& values, const Encoding& encoding) {
  Tensor result(DType::kFloat32, values.shape());
  const auto out = result.mutable_data<float>();
  for_each_code(values, encoding, [&](std::int64_t element, std::int64_t code, std::size_t s) {
    out[static_cast<std::size_t>(element)] = static_cast<float>(code) * encoding.scale[s];
  });
  return result;
}

Tensor dequantize_values(const Tensor& codes, const Encoding& encoding) {
  const std::vector<double> integers = to_doubles(codes);
  const ScaleLayout layout = scale_layout(codes.shape(), encoding);
  Tensor result(DType::kFloat32, codes.shape());
  const auto out = result.mutable_data<float>();
  std::size_t element = 0;
  for (std::int64_t o = 0; o < layout.outer; ++o) {
    for (std::int64_t p = 0; p < layout.length; ++p) {
      for (std::int64_t i = 0; i < layout.inner; ++i, ++element) {
        const auto s = static_cast<std::size_t>(layout.index(o, p, i));
        const double relative = integers[element] - encoding.zero_point[s];
        out[element] = static_cast<float>(relative) * encoding.scale[s];
      }
    }
  }
  return result;
}

}  // namespace hexquant::quant
