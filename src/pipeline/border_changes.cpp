#include "pipeline/border_changes.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::pipeline {
namespace {

using passes::BorderEncoding;

/// Moves a rank-4 float tensor between [N, C, H, W] and [N, H, W, C].
Tensor reordered(const Tensor& tensor, bool to_channel_last) {
  const Shape& from = tensor.shape();
  const std::int64_t channels = to_channel_last ? from[1] : from[3];
  const std::int64_t plane = to_channel_last ? from[2] * from[3] : from[1] * from[2];
  const Shape shape = to_channel_last ? Shape{from[0], from[2], from[3], from[1]}
                                      : Shape{from[0], from[3], from[1], from[2]};
  Tensor result(DType::kFloat32, shape);
  const auto source = tensor.data<float>();
  const auto target = result.mutable_data<float>();
  const std::int64_t rows = to_channel_last ? channels : plane;
  const std::int64_t columns = to_channel_last ? plane : channels;
  for (std::int64_t n = 0; n < from[0]; ++n) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        const std::int64_t base = n * rows * columns;
        target[static_cast<std::size_t>(base + c * rows + r)] =
            source[static_cast<std::size_t>(base + r * columns + c)];
      }
    }
  }
  return result;
}

/// x * std + mean, channel by channel.
Tensor denormalized(const Tensor& tensor, const InputChange& change) {
  Tensor result(DType::kFloat32, tensor.shape());
  const auto source = tensor.data<float>();
  const auto target = result.mutable_data<float>();
  std::int64_t inner = 1;
  for (std::int64_t axis = change.channel_axis + 1; axis < tensor.rank(); ++axis) {
    inner *= tensor.shape()[static_cast<std::size_t>(axis)];
  }
  const std::int64_t channels = tensor.shape()[static_cast<std::size_t>(change.channel_axis)];
  const auto at = [](const std::vector<double>& values, std::int64_t channel) {
    return values.size() == 1 ? values[0] : values[static_cast<std::size_t>(channel)];
  };
  for (std::size_t i = 0; i < source.size(); ++i) {
    const std::int64_t channel = static_cast<std::int64_t>(i) / inner % channels;
    target[i] =
        static_cast<float>(static_cast<double>(source[i]) * at(change.normalization.std, channel) +
                           at(change.normalization.mean, channel));
  }
  return result;
}

Tensor levels(const std::string& input, const Tensor& tensor) {
  Tensor result(DType::kUInt8, tensor.shape());
  const auto source = tensor.data<float>();
  const auto target = result.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < source.size(); ++i) {
    const double value = static_cast<double>(source[i]);
    const double level = std::clamp(std::nearbyint(value), 0.0, 255.0);
    if (!(std::abs(value - level) <= kLevelTolerance)) {
      throw Error(ErrorCode::kInvalidData,
                  format("input '{}': {} is no level 0..255, so it cannot be uint8: --preprocess "
                         "says how levels become what the model is fed",
                         input, value));
    }
    target[i] = static_cast<std::uint8_t>(level);
  }
  return result;
}

template <typename T>
Tensor quantized_as(const Tensor& tensor, const BorderEncoding& encoding) {
  Tensor result(encoding.type, tensor.shape());
  const auto source = tensor.data<float>();
  const auto target = result.mutable_data<T>();
  const auto scale = static_cast<float>(encoding.scale);
  for (std::size_t i = 0; i < source.size(); ++i) {
    const double code =
        std::nearbyint(source[i] / scale) + static_cast<double>(encoding.zero_point);
    target[i] = static_cast<T>(std::clamp(code, static_cast<double>(std::numeric_limits<T>::min()),
                                          static_cast<double>(std::numeric_limits<T>::max())));
  }
  return result;
}

Tensor quantized(const Tensor& tensor, const BorderEncoding& encoding) {
  switch (encoding.type) {
    case DType::kUInt8:
      return quantized_as<std::uint8_t>(tensor, encoding);
    case DType::kInt8:
      return quantized_as<std::int8_t>(tensor, encoding);
    case DType::kUInt16:
      return quantized_as<std::uint16_t>(tensor, encoding);
    case DType::kInt16:
      return quantized_as<std::int16_t>(tensor, encoding);
    default:
      throw Error(ErrorCode::kInternal, "codes of type " + dtype_name(encoding.type));
  }
}

}  // namespace

bool InputChange::is_none() const {
  return normalization.is_identity() && !channel_last && !is_levels && !codes;
}

runtime::Feeds BorderChanges::feeds(const runtime::Feeds& original) const {
  runtime::Feeds changed;
  for (const auto& [name, tensor] : original) {
    const auto found = inputs.find(name);
    if (found == inputs.end() || found->second.is_none()) {
      changed[name] = tensor;
      continue;
    }
    const InputChange& change = found->second;
    Tensor value = tensor;
    if (!change.normalization.is_identity()) value = denormalized(value, change);
    if (change.channel_last) value = reordered(value, true);
    if (change.is_levels) value = levels(name, value);
    if (change.codes) value = quantized(value, *change.codes);
    changed[name] = std::move(value);
  }
  return changed;
}

Tensor BorderChanges::restored(const std::string& output, const Tensor& value) const {
  const auto found = outputs.find(output);
  if (found == outputs.end()) return value;
  Tensor result = value;
  if (found->second.codes) {
    const BorderEncoding& encoding = *found->second.codes;
    std::vector<float> numbers;
    for (const double code : to_doubles(value)) {
      numbers.push_back(
          static_cast<float>((code - static_cast<double>(encoding.zero_point)) * encoding.scale));
    }
    result = Tensor::from<float>(value.shape(), numbers);
  }
  return found->second.channel_last ? reordered(result, false) : result;
}

}  // namespace hexquant::pipeline
