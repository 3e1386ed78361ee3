#include "quant/fake_quant.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::quant {
namespace {

/// round_half_even(x / scale), clamped; NaN gives 0. The bounds are integers, so clamping first
/// gives the same code and keeps the rounding in range.
double rounded_steps(double x, double scale, double low, double high) noexcept {
  const double steps = x / scale;
  if (!(steps == steps)) return 0.0;
  return std::nearbyint(std::clamp(steps, low, high));
}

/// The same for grids of at most 16 bits: adding and subtracting 1.5 * 2^23 rounds half to even for
/// |steps| < 2^22. No call and no branch, so that a loop of it becomes vector instructions.
float rounded_steps(float x, float scale, float low, float high) noexcept {
  constexpr float kRounder = 12582912.0F;
  const float steps = x / scale;
  const float raised = steps < low ? low : steps;
  const float clamped = raised > high ? high : raised;
  const float rounded = (clamped + kRounder) - kRounder;
  const std::uint32_t if_number = steps == steps ? 0xFFFFFFFFU : 0U;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(rounded) & if_number);
}

/// Elements that follow each other in memory and share a scale.
struct Run {
  std::size_t first = 0;
  std::size_t count = 0;
  std::size_t scale = 0;  ///< index
};

/// Calls `body(Run)` for all elements, in order.
template <typename Body>
void for_each_run(const ScaleLayout& layout, const Body& body) {
  const bool is_tensor = layout.granularity == Granularity::kTensor;
  const bool is_group = layout.granularity == Granularity::kGroup;
  const bool is_split = is_group && layout.inner > 1;  // neighbours belong to different channels
  const std::int64_t positions = is_tensor                       ? layout.length
                                 : is_group && layout.inner == 1 ? layout.block
                                                                 : 1;
  const std::int64_t width = is_split ? 1 : layout.inner;
  std::size_t first = 0;
  for (std::int64_t o = 0; o < layout.outer; ++o) {
    for (std::int64_t p = 0; p < layout.length; p += positions) {
      const auto count = static_cast<std::size_t>(std::min(positions, layout.length - p) * width);
      for (std::int64_t i = 0; i < layout.inner; i += width, first += count) {
        body(Run{first, count, static_cast<std::size_t>(layout.index(o, p, i))});
      }
    }
  }
}

/// Calls `body(element, steps)` for the elements of a run; steps = code - zero point.
template <typename Real, typename Body>
void for_each_step(const float* values, const Run& run, const Encoding& encoding,
                   const Body& body) {
  const std::int64_t zero = encoding.zero_point[run.scale];
  const auto low = static_cast<Real>(encoding.q_min() - zero);
  const auto high = static_cast<Real>(encoding.q_max() - zero);
  const auto scale = static_cast<Real>(encoding.scale[run.scale]);
  for (std::size_t i = run.first; i < run.first + run.count; ++i) {
    body(i, rounded_steps(static_cast<Real>(values[i]), scale, low, high));
  }
}

/// The same for all elements. int32 grids (biases) are computed in double: float has too few bits
/// for their codes.
template <typename Body>
void for_each_step(const Tensor& values, const Encoding& encoding, const Body& body) {
  const float* in = values.data<float>().data();
  for_each_run(scale_layout(values.shape(), encoding), [&](const Run& run) {
    const auto of_run = [&](std::size_t element, auto steps) { body(element, steps, run.scale); };
    if (encoding.type == DType::kInt32) {
      for_each_step<double>(in, run, encoding, of_run);
    } else {
      for_each_step<float>(in, run, encoding, of_run);
    }
  });
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

void store_code(std::byte* bytes, DType type, std::size_t at, std::int64_t code) {
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
  for_each_step(values, encoding, [&](std::size_t element, auto steps, std::size_t s) {
    store_code(bytes, encoding.type, element,
               static_cast<std::int64_t>(steps) + encoding.zero_point[s]);
  });
  return codes;
}

Tensor fake_quantize_values(const Tensor& values, const Encoding& encoding) {
  Tensor result(DType::kFloat32, values.shape());
  float* out = result.mutable_data<float>().data();
  const float* scales = encoding.scale.data();
  for_each_step(values, encoding, [=](std::size_t element, auto steps, std::size_t s) {
    out[element] = static_cast<float>(steps) * scales[s];
  });
  return result;
}

Tensor dequantize_values(const Tensor& codes, const Encoding& encoding) {
  const std::vector<double> integers = to_doubles(codes);
  Tensor result(DType::kFloat32, codes.shape());
  const auto out = result.mutable_data<float>();
  for_each_run(scale_layout(codes.shape(), encoding), [&](const Run& run) {
    const double zero = encoding.zero_point[run.scale];
    for (std::size_t i = run.first; i < run.first + run.count; ++i) {
      out[i] = static_cast<float>(integers[i] - zero) * encoding.scale[run.scale];
    }
  });
  return result;
}

}  // namespace hexquant::quant
