#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "support/graph_builder.h"

namespace hexquant::test {

enum class ZeroPoint { kCentred, kLowest, kOdd };

/// A per-tensor activation encoding; nothing in the placement depends on the scale.
struct ActFormat {
  DType type = DType::kUInt8;
  ZeroPoint zero_point = ZeroPoint::kOdd;
  friend bool operator==(const ActFormat&, const ActFormat&) = default;
};

struct WeightFormat {
  DType type = DType::kInt8;
  Granularity granularity = Granularity::kChannel;
  int axis = 0;
  std::int64_t block_size = 16;
  bool symmetric = true;
};

enum class BiasForm { kNone, kInt32, kFloat, kByte };

/// The value at the end of the chain so far.
struct Current {
  std::string name;
  Shape shape;
  bool quantized = false;  ///< it comes out of a DequantizeLinear
  ActFormat format;
};

/// Random choices and the parts that the random models are made of.
class QdqParts {
 public:
  explicit QdqParts(std::uint64_t seed) : random_(seed) {}

 protected:
  // ---- random choices, the same with every standard library
  std::size_t pick(std::size_t count) { return static_cast<std::size_t>(random_() % count); }
  bool rarely(double probability) {
    return static_cast<double>(random_() >> 11) * 0x1p-53 < probability;
  }
  template <typename T>
  T pick_one(std::initializer_list<T> list) {
    return *(list.begin() + pick(list.size()));
  }

  // ---- graph parts
  std::string name(const std::string& base) { return graph_.unique_name(base); }
  std::string node(const std::string& op_type, std::vector<std::string> inputs, const Shape& shape,
                   graph::Attributes attributes = {}, const std::string& domain = "",
                   DType type = DType::kFloat32) {
    std::string base = op_type;
    std::transform(base.begin(), base.end(), base.begin(), [](char c) { return std::tolower(c); });
    const std::string id = name(base);
    const std::string output = name(id + "_out");
    graph_.set_type(output, GraphBuilder::type_of(shape, type));
    graph_.add_node({op_type, std::move(inputs), {output}, std::move(attributes), id, domain});
    if (!domain.empty()) graph_.opsets[domain] = 1;
    return output;
  }
  std::string int64s(const std::vector<std::int64_t>& values) {
    const std::string id = name("ints");
    graph_.add_initializer(
        id, Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
    return id;
  }
  std::string floats(const Shape& shape, float step = 0.1F) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& value : values) value = step * static_cast<float>(pick(9)) - 4.0F * step;
    const std::string id = name("floats");
    graph_.add_initializer(id, Tensor::from<float>(shape, values));
    return id;
  }
  std::string scalar(float value) {
    const std::string id = name("scalar");
    graph_.add_initializer(id, Tensor::scalar<float>(value));
    return id;
  }

  static std::int32_t zero_point(const ActFormat& format) {
    const int bits = dtype_bits(format.type);
    const bool is_signed = format.type == DType::kInt8 || format.type == DType::kInt16;
    const std::int32_t lowest = is_signed ? -(1 << (bits - 1)) : 0;
    const std::int32_t centre = lowest + (1 << (bits - 1));
    if (format.zero_point == ZeroPoint::kLowest) return lowest;
    return format.zero_point == ZeroPoint::kCentred ? centre : centre - 7;
  }
  /// Integer constant: values in real units are codes (scale 1, zero point 0).
  std::string codes(const Shape& shape, DType type, const std::vector<float>& values) {
    Encoding unit;
    unit.type = type;
    unit.scale = {1.0F};
    unit.zero_point = {0};
    const std::string id = name("codes");
    graph_.add_initializer(id, quantize_tensor(Tensor::from<float>(shape, values), unit));
    return id;
  }
  std::string quantize(const std::string& value, const Shape& shape, const ActFormat& format) {
    const float scale = dtype_bits(format.type) == 8 ? 0.03F : 0.0001F;
    const std::string scale_name = scalar(scale);
    const std::string zero = codes({}, format.type, {static_cast<float>(zero_point(format))});
    const std::string q =
        node("QuantizeLinear", {value, scale_name, zero}, shape, {}, "", format.type);
    return node("DequantizeLinear", {q, scale_name, zero}, shape);
  }
  void set_quantized(const ActFormat& format) {
    current_.name = quantize(current_.name, current_.shape, format);
    current_.quantized = true;
    current_.format = format;
  }
  /// Constant behind a DequantizeLinear.
  std::string weight(const Shape& shape, const WeightFormat& format) {
    const bool is_unsigned = format.type == DType::kUInt8 || format.type == DType::kUInt4 ||
                             format.type == DType::kUInt16;
    const int bits = dtype_bits(format.type);
    const float centre = is_unsigned ? static_cast<float>(1 << (bits - 1)) : 0.0F;
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& value : values) value = centre + static_cast<float>(pick(13)) - 6.0F;
    Shape layout;
    graph::Attributes attributes;
    if (format.granularity != Granularity::kTensor) {
      attributes["axis"] = static_cast<std::int64_t>(format.axis);
      layout = {shape.at(static_cast<std::size_t>(format.axis))};
    }
    if (format.granularity == Granularity::kGroup) {
      layout = shape;
      std::int64_t& length = layout.at(static_cast<std::size_t>(format.axis));
      length = (length + format.block_size - 1) / format.block_size;
      attributes["block_size"] = format.block_size;
    }
    const auto count = static_cast<std::size_t>(element_count(layout));
    const float zero = centre + (format.symmetric ? 0.0F : 1.0F);
    const std::string scale = name("weight_scale");
    std::vector<float> scales(count);
    for (std::size_t i = 0; i < count; ++i) scales[i] = 0.01F + 0.001F * static_cast<float>(i % 5);
    graph_.add_initializer(scale, Tensor::from<float>(layout, scales));
    return node("DequantizeLinear",
                {codes(shape, format.type, values), scale,
                 codes(layout, format.type, std::vector<float>(count, zero))},
                shape, std::move(attributes));
  }
  /// Bias [channels] in the given form; "" for none. int32: scale of its own for each channel when
  /// the weights have one.
  std::string bias(std::int64_t channels, BiasForm form, const WeightFormat* weights) {
    if (form == BiasForm::kNone) return "";
    if (form == BiasForm::kFloat) return floats({channels});
    if (form == BiasForm::kByte) {
      return weight({channels}, {DType::kInt8, Granularity::kTensor, 0, 0, true});
    }
    const bool per_channel = weights != nullptr && weights->granularity == Granularity::kChannel;
    std::vector<std::int32_t> values(static_cast<std::size_t>(channels));
    for (std::int32_t& value : values) value = static_cast<std::int32_t>(pick(2000)) - 1000;
    const std::string id = name("bias_codes");
    graph_.add_initializer(id, Tensor::from<std::int32_t>({channels}, values));
    const std::string scale = name("bias_scale");
    const Shape layout = per_channel ? Shape{channels} : Shape{};
    std::vector<float> scales(static_cast<std::size_t>(element_count(layout)));
    for (std::size_t i = 0; i < scales.size(); ++i) {
      const float activation = dtype_bits(current_.format.type) == 8 ? 0.03F : 0.0001F;
      scales[i] = activation * (0.01F + 0.001F * static_cast<float>(i % 5));
    }
    graph_.add_initializer(scale, Tensor::from<float>(layout, scales));
    graph::Attributes attributes;
    if (per_channel) attributes["axis"] = std::int64_t{0};
    return node("DequantizeLinear", {id, scale}, {channels}, std::move(attributes));
  }

  // ---- random formats
  WeightFormat weight_format(int channel_axis, int wrong_axis, int block_axis) {
    WeightFormat format;
    format.axis = channel_axis;
    if (rarely(0.45)) {
      format.type =
          pick_one<DType>({DType::kInt8, DType::kUInt8, DType::kInt4, DType::kInt4, DType::kInt16,
                           DType::kUInt16, DType::kUInt4, DType::kInt16, DType::kUInt8});
    }
    const double draw = static_cast<double>(pick(1000)) / 1000.0;
    if (draw < 0.35) {
      format.granularity = Granularity::kTensor;
    } else if (draw < 0.45) {
      format.axis = wrong_axis;
    } else if (draw < 0.55) {
      format.granularity = Granularity::kGroup;
      format.axis = block_axis;
      format.block_size = pick_one<std::int64_t>({16, 16, 32, 8});
    }
    format.symmetric = !rarely(0.12);
    return format;
  }
  BiasForm bias_form() {
    return pick_one<BiasForm>({BiasForm::kNone, BiasForm::kInt32, BiasForm::kInt32,
                               BiasForm::kInt32, BiasForm::kInt32, BiasForm::kFloat,
                               BiasForm::kInt32, BiasForm::kByte});
  }
  ActFormat other_format() {
    return {pick_one<DType>({DType::kUInt8, DType::kUInt16, DType::kInt8, DType::kInt16}),
            pick_one<ZeroPoint>({ZeroPoint::kOdd, ZeroPoint::kCentred})};
  }
  [[nodiscard]] int rank() const { return static_cast<int>(current_.shape.size()); }

  std::mt19937_64 random_;
  graph::Graph graph_;
  Current current_;
};

}  // namespace hexquant::test
