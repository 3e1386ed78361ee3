#include "weights/granularity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/format.h"
#include "hexquant/error.h"
#include "quant/fake_quant.h"

namespace hexquant::weights {
namespace {

DType code_type(int bits, bool symmetric) {
  switch (bits) {
    case 4:
      return symmetric ? DType::kInt4 : DType::kUInt4;
    case 8:
      return symmetric ? DType::kInt8 : DType::kUInt8;
    case 16:
      return symmetric ? DType::kInt16 : DType::kUInt16;
    default:
      throw Error(ErrorCode::kInvalidArgument, format("{} weight bits: expected 4, 8 or 16", bits));
  }
}

/// The smallest and largest value that share each scale.
std::vector<Range> scale_ranges(const Tensor& values, const quant::ScaleLayout& layout) {
  constexpr float kHuge = std::numeric_limits<float>::infinity();
  std::vector<Range> ranges(static_cast<std::size_t>(layout.scale_count()), {kHuge, -kHuge});
  const auto data = values.data<float>();
  std::size_t element = 0;
  for (std::int64_t o = 0; o < layout.outer; ++o) {
    for (std::int64_t p = 0; p < layout.length; ++p) {
      for (std::int64_t i = 0; i < layout.inner; ++i, ++element) {
        Range& range = ranges[static_cast<std::size_t>(layout.index(o, p, i))];
        range.min = std::min(range.min, data[element]);
        range.max = std::max(range.max, data[element]);
      }
    }
  }
  return ranges;
}

/// An encoding of the right size for scale_layout; its numbers come later.
Encoding blank_encoding(const Shape& shape, const ScaleChoice& choice, int channel_axis,
                        int reduction_axis) {
  Encoding encoding;
  encoding.granularity = choice.granularity;
  if (choice.granularity == Granularity::kChannel) {
    if (channel_axis < 0) {
      encoding.granularity = Granularity::kTensor;
    } else {
      encoding.axis = channel_axis;
    }
  } else if (choice.granularity == Granularity::kGroup) {
    encoding.axis = reduction_axis;
    encoding.block_size = choice.block_size;
  }
  const auto rank = static_cast<int>(shape.size());
  if (rank < 1 || encoding.axis < 0 || encoding.axis >= rank) {
    throw Error(ErrorCode::kInvalidArgument,
                format("axis {} does not fit shape {}", encoding.axis, shape_text(shape)));
  }
  std::int64_t scales = 1;
  for (const std::int64_t dim : quant::scale_shape(shape, encoding)) scales *= dim;
  encoding.scale.resize(static_cast<std::size_t>(scales));
  encoding.zero_point.resize(static_cast<std::size_t>(scales));
  return encoding;
}

ScaleError measure(const Tensor& values, Encoding encoding, int bits, bool symmetric) {
  const DType type = code_type(bits, symmetric);
  const auto ranges = scale_ranges(values, quant::scale_layout(values.shape(), encoding));
  for (std::size_t s = 0; s < ranges.size(); ++s) {
    const Encoding one = encoding_from_range(ranges[s], type, symmetric);
    encoding.scale[s] = one.scale[0];
    encoding.zero_point[s] = one.zero_point[0];
  }
  encoding.type = type;
  encoding.symmetric = symmetric;
  const Tensor rounded = quant::fake_quantize_values(values, encoding);
  const auto before = values.data<float>();
  const auto after = rounded.data<float>();
  ScaleError error;
  error.elements = values.size();
  const auto scales = static_cast<std::int64_t>(ranges.size());
  error.scale_bytes = 4 * scales + (symmetric ? 0 : (scales * bits + 7) / 8);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double value = before[i];
    const double noise = value - after[i];
    error.signal += value * value;
    error.squared_error += noise * noise;
  }
  return error;
}

}  // namespace

double ScaleError::mse() const {
  return elements == 0 ? 0.0 : squared_error / static_cast<double>(elements);
}

double ScaleError::sqnr_db() const {
  if (signal == 0.0) return std::numeric_limits<double>::quiet_NaN();
  if (squared_error == 0.0) return std::numeric_limits<double>::infinity();
  return 10.0 * std::log10(signal / squared_error);
}

ScaleError& ScaleError::operator+=(const ScaleError& other) {
  squared_error += other.squared_error;
  signal += other.signal;
  elements += other.elements;
  scale_bytes += other.scale_bytes;
  return *this;
}

GranularityRow measure_granularity(const Tensor& values, int channel_axis, int reduction_axis,
                                   int bits) {
  GranularityRow row;
  row.shape = values.shape();
  if (values.empty()) return row;
  for (std::size_t schema = 0; schema < 2; ++schema) {
    for (std::size_t c = 0; c < kScaleChoices.size(); ++c) {
      const Encoding blank =
          blank_encoding(values.shape(), kScaleChoices[c], channel_axis, reduction_axis);
      row.errors[schema][c] = measure(values, blank, bits, schema == 0);
    }
  }
  return row;
}

GranularityRow total_granularity(const std::vector<GranularityRow>& rows) {
  GranularityRow total;
  for (const GranularityRow& row : rows) {
    for (std::size_t schema = 0; schema < 2; ++schema) {
      for (std::size_t c = 0; c < kScaleChoices.size(); ++c) {
        total.errors[schema][c] += row.errors[schema][c];
      }
    }
  }
  return total;
}

}  // namespace hexquant::weights
