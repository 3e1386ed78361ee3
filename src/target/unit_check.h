#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/format.h"
#include "target/node_unit.h"
#include "target/rules.h"

namespace hexquant::target {

/// Why something does not go, and what mends it.
struct Obstacle {
  std::string reason;
  std::string fix;
  bool early = false;  ///< seen before the layout is changed: the CPU can still take it
};
using Answer = std::optional<Obstacle>;

template <typename T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// What every step asks about a unit: its activations, weights, bias and form.
class UnitCheck {
 public:
  UnitCheck(const Rules& rules, const graph::Graph& model, const NodeUnit& unit, const OpRule& rule)
      : rules_(rules), model_(model), unit_(unit), node_(*unit.node), rule_(rule) {}

  /// The first value of the node that has more dimensions than `limit`.
  [[nodiscard]] Answer rank_obstacle(int limit, const char* unit_words) const {
    for (const auto* values : {&node_.inputs(), &node_.outputs()}) {
      for (const std::string& value : *values) {
        const graph::ValueType* type = model_.find_type(value);
        if (type == nullptr || !type->shape || std::ssize(*type->shape) <= limit) continue;
        return Obstacle{format("'{}' has {} dimensions: {} takes at most {} {}", value,
                               type->shape->size(), node_.op_type(), limit, unit_words),
                        "reshape it to fewer dimensions"};
      }
    }
    return std::nullopt;
  }
  /// The HTP's FullyConnected has no factors.
  [[nodiscard]] Answer scaling_obstacle() const {
    if (!node_.is("Gemm") || node_.float_attribute("alpha", 1.0F) == 1.0F) return std::nullopt;
    return Obstacle{
        format("Gemm with alpha {}: the HTP takes only 1", node_.float_attribute("alpha", 1.0F)),
        "multiply alpha into the weights"};
  }

  [[nodiscard]] bool is_nearest_resize() const {
    return node_.is("Resize") && node_.string_attribute("mode", "nearest") == "nearest";
  }

 protected:
  [[nodiscard]] const Operand* input(int index) const {
    if (index < 0 || index >= std::ssize(unit_.inputs)) return nullptr;
    const Operand& operand = unit_.inputs[static_cast<std::size_t>(index)];
    return operand.kind == OperandKind::kAbsent ? nullptr : &operand;
  }
  [[nodiscard]] const Operand* weight() const {
    if (!rule_.weight) return nullptr;
    const Operand* operand = input(rule_.weight->input);
    return operand != nullptr && operand->is_constant() ? operand : nullptr;
  }
  /// Gemm, and MatMul with the bias that is added behind it.
  [[nodiscard]] bool is_gemm() const { return node_.is("Gemm") || unit_.addition != nullptr; }
  [[nodiscard]] int bias_index() const { return unit_.addition != nullptr ? 2 : rule_.bias; }
  [[nodiscard]] const Operand* bias() const { return input(bias_index()); }
  [[nodiscard]] bool is_parameter(int index) const {
    return index == bias_index() || (weight() != nullptr && index == rule_.weight->input) ||
           std::any_of(rule_.parameters.begin(), rule_.parameters.end(),
                       [&](const ParameterRule& p) { return p.input == index; });
  }
  [[nodiscard]] bool is_activation(int index) const {
    return !is_parameter(index) && (rule_.inputs.empty() || contains(rule_.inputs, index));
  }
  /// The first activation input's type.
  [[nodiscard]] DType activation_type() const {
    for (int i = 0; i < std::ssize(unit_.inputs); ++i) {
      const Operand& operand = unit_.inputs[static_cast<std::size_t>(i)];
      if (is_activation(i) && operand.is_quantized()) return operand.format.type;
    }
    return DType::kUndefined;
  }
  [[nodiscard]] bool has_blocks() const {
    const Operand* constant = weight();
    return constant != nullptr && constant->is_quantized() &&
           constant->format.granularity == Granularity::kGroup;
  }

  [[nodiscard]] bool has_bias_parameter() const {
    return std::any_of(rule_.parameters.begin(), rule_.parameters.end(),
                       [](const ParameterRule& p) { return p.bias_of >= 0; });
  }
  [[nodiscard]] bool is_depthwise() const {
    const std::int64_t groups = node_.int_attribute("group", 1);
    const Shape& shape = weight()->shape;
    return groups > 1 && shape.size() > 1 && shape[1] == 1;
  }

  /// A single scale on an axis of length 1 is one scale for the tensor.
  [[nodiscard]] static bool is_channelwise(const Operand& constant) {
    if (constant.format.granularity != Granularity::kChannel) return false;
    const auto axis = static_cast<std::size_t>(constant.format.axis);
    return axis >= constant.shape.size() || constant.shape[axis] != 1;
  }

  const Rules& rules_;
  const graph::Graph& model_;
  const NodeUnit& unit_;
  const graph::Node& node_;
  const OpRule& rule_;
};

}  // namespace hexquant::target
