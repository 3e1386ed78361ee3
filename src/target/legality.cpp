#include "target/legality.h"

#include <algorithm>

#include "core/format.h"
#include "target/node_unit.h"

namespace hexquant::target {
namespace {

using graph::Graph;
using graph::Node;
using Obstacle = std::optional<std::string>;

template <typename T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string type_text(const TensorFormat& format) {
  return dtype_name(format.type) + (format.symmetric ? " symmetric" : "");
}

/// Dimensions of a constant, or of a value with a known shape.
std::optional<std::size_t> rank_of(const Graph& graph, const std::string& value) {
  if (const Tensor* constant = find_constant(graph, value)) return constant->shape().size();
  const graph::ValueType* type = graph.find_type(value);
  if (type == nullptr || !type->shape) return std::nullopt;
  return type->shape->size();
}

Obstacle gemm_obstacle(const Node& node) {
  if (node.int_attribute("transA", 0) != 0) return "Gemm with transA is not accepted";
  const float alpha = node.float_attribute("alpha", 1.0F);
  const float beta = node.float_attribute("beta", 1.0F);
  if (alpha == 1.0F && (beta == 1.0F || node.input(2).empty())) return std::nullopt;
  return format("Gemm with alpha {} and beta {}: the HTP takes only 1 and 1", alpha, beta);
}

Obstacle rank_obstacle(const Rules& rules, const Graph& graph, const Node& node) {
  for (const auto* values : {&node.inputs(), &node.outputs()}) {
    for (const std::string& value : *values) {
      const auto rank = rank_of(graph, value);
      if (!rank || *rank <= static_cast<std::size_t>(rules.max_rank)) continue;
      return format("'{}' has {} dimensions: the HTP takes at most {}", value, *rank,
                    rules.max_rank);
    }
  }
  return std::nullopt;
}

bool is_layer_weight(const Graph& graph, const Node& node, const OpRule& rule, int index) {
  return rule.weight && rule.weight->input == index &&
         find_constant(graph, node.input(static_cast<std::size_t>(index))) != nullptr;
}

const ParameterRule* find_parameter(const OpRule& rule, int index) {
  const auto found = std::find_if(rule.parameters.begin(), rule.parameters.end(),
                                  [&](const ParameterRule& p) { return p.input == index; });
  return found == rule.parameters.end() ? nullptr : &*found;
}

Obstacle weight_obstacle(const Rules& rules, const Node& node, const OpRule& rule,
                         const Shape& shape, const TensorFormat& weight, int act_bits) {
  if (weight.granularity == Granularity::kGroup) {
    return block_obstacle(rules, node, rule, shape, weight.type, act_bits, weight.block_size);
  }
  if (dtype_bits(weight.type) == 16 && act_bits == 8) {
    return "8-bit activations with 16-bit weights are not accepted";
  }
  const auto by_type = rules.weight_formats.find(weight.type);
  if (by_type == rules.weight_formats.end()) {
    return format("{} weights are not accepted", dtype_name(weight.type));
  }
  const auto by_bits = by_type->second.find(act_bits);
  if (by_bits == by_type->second.end() || !contains(by_bits->second, weight.granularity)) {
    return format("{} weights per {} with {}-bit activations are not accepted",
                  dtype_name(weight.type),
                  weight.granularity == Granularity::kTensor ? "tensor" : "channel", act_bits);
  }
  if (weight.granularity == Granularity::kChannel) {
    const int axis = channel_axis(rule, node, shape);
    if (axis < 0) return "weights of this form take one scale for the whole tensor";
    if (weight.axis != axis) {
      return format("weights per channel on axis {}: only axis {} is computed right", weight.axis,
                    axis);
    }
  }
  return std::nullopt;
}

Obstacle second_operand_obstacle(const Rules& rules, const TensorFormat& operand, int act_bits) {
  const auto found = rules.second_operand.find(act_bits);
  if (found == rules.second_operand.end()) return std::nullopt;
  const bool accepted =
      std::any_of(found->second.begin(), found->second.end(), [&](const OperandFormat& format) {
        return format.type == operand.type && (operand.symmetric || !format.symmetric);
      });
  if (accepted) return std::nullopt;
  return format("a computed second operand of type {} with {}-bit activations is not accepted",
                type_text(operand), act_bits);
}

/// Checks one node input by input; holds what the checks share.
class FormatCheck {
 public:
  FormatCheck(const Rules& rules, const Graph& graph, const Node& node, const OpRule& rule,
              const NodeFormats& formats)
      : rules_(rules), graph_(graph), node_(node), rule_(rule), formats_(formats) {}

  [[nodiscard]] Obstacle run() {
    for (const auto& [index, format] : formats_.inputs) {
      if (is_activation(index)) {
        if (auto obstacle = activation(format)) return obstacle;
      }
    }
    if (formats_.output) {
      if (auto obstacle = activation(*formats_.output)) return obstacle;
    }
    if (act_bits_ == 0) return std::nullopt;
    for (const auto& [index, format] : formats_.inputs) {
      if (auto obstacle = other(index, format)) return obstacle;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool is_activation(int index) const {
    if (index == rule_.bias || index == rule_.second_operand) return false;
    if (is_layer_weight(graph_, node_, rule_, index) || find_parameter(rule_, index)) return false;
    return rule_.inputs.empty() || contains(rule_.inputs, index);
  }

  Obstacle activation(const TensorFormat& format) {
    if (!contains(rule_.types, format.type)) {
      return hexquant::format("{} with {} activations does not run in integers", node_.op_type(),
                              dtype_name(format.type));
    }
    if (act_bits_ != 0 && format.type != type_) {
      return hexquant::format("inputs and output have different types ({} and {})",
                              dtype_name(type_), dtype_name(format.type));
    }
    type_ = format.type;
    act_bits_ = dtype_bits(format.type);
    return std::nullopt;
  }

  [[nodiscard]] Obstacle other(int index, const TensorFormat& format) const {
    const Tensor* constant = find_constant(graph_, node_.input(static_cast<std::size_t>(index)));
    if (is_layer_weight(graph_, node_, rule_, index)) {
      return weight_obstacle(rules_, node_, rule_, constant->shape(), format, act_bits_);
    }
    if (index == rule_.second_operand) return second_operand_obstacle(rules_, format, act_bits_);
    if (index == rule_.bias && format.type != DType::kInt32) {
      return hexquant::format("a bias of type {} is not accepted: int32 or float only",
                              dtype_name(format.type));
    }
    if (const ParameterRule* parameter = find_parameter(rule_, index)) {
      return parameter_obstacle(*parameter, format);
    }
    return std::nullopt;
  }

  [[nodiscard]] Obstacle parameter_obstacle(const ParameterRule& parameter,
                                            const TensorFormat& format) const {
    const auto wanted = parameter.types.find(act_bits_);
    const DType type = parameter.bias_of >= 0            ? DType::kInt32
                       : wanted != parameter.types.end() ? wanted->second
                                                         : DType::kUndefined;
    if (format.type == type) return std::nullopt;
    return hexquant::format("parameter {} has type {}: expected {}", parameter.input,
                            dtype_name(format.type), dtype_name(type));
  }

  const Rules& rules_;
  const Graph& graph_;
  const Node& node_;
  const OpRule& rule_;
  const NodeFormats& formats_;
  DType type_ = DType::kUndefined;
  int act_bits_ = 0;
};

}  // namespace

int channel_axis(const OpRule& rule, const Node& node, const Shape& weight) {
  switch (rule.weight->axis) {
    case WeightAxis::kFirst:
      return 0;
    case WeightAxis::kSecond:
      // With groups the axis holds the channels of one group only.
      return node.int_attribute("group", 1) == 1 ? 1 : -1;
    case WeightAxis::kTransB:
      return node.int_attribute("transB", 0) != 0 ? 0 : 1;
    case WeightAxis::kColumns:
      return weight.size() == 2 ? 1 : -1;
  }
  return -1;
}

int reduction_axis(const OpRule& rule, const Node& node, const Shape& weight) {
  switch (rule.weight->axis) {
    case WeightAxis::kFirst:
      return 1;
    case WeightAxis::kSecond:
      return 0;
    case WeightAxis::kTransB:
      return node.int_attribute("transB", 0) != 0 ? 1 : 0;
    case WeightAxis::kColumns:
      return weight.size() < 2 ? 0 : static_cast<int>(weight.size()) - 2;
  }
  return 0;
}

Obstacle integer_obstacle(const Rules& rules, const Graph& graph, const Node& node) {
  if (node.has_subgraph()) return "control flow is outside the integer graph";
  const OpRule* rule = find_rule(rules, node);
  if (rule == nullptr) return format("{} is not known to run in integers", op_key(node));
  if (rule->role == OpRole::kFloat) return rule->reason;
  if (node.is("Gemm")) {
    if (auto obstacle = gemm_obstacle(node)) return obstacle;
  }
  if (rule->weight && rule->second_operand < 0 &&
      find_constant(graph, node.input(static_cast<std::size_t>(rule->weight->input))) == nullptr) {
    return "its weights are computed, not constant";
  }
  for (const ParameterRule& parameter : rule->parameters) {
    const std::string& name = node.input(static_cast<std::size_t>(parameter.input));
    if (!name.empty() && find_constant(graph, name) == nullptr) {
      return format("parameter '{}' is computed, not constant", name);
    }
  }
  return std::nullopt;
}

Obstacle block_obstacle(const Rules& rules, const Node& node, const OpRule& rule,
                        const Shape& weight, DType type, int act_bits, std::int64_t block_size) {
  if (!contains(rules.block_types, type)) {
    return format("block-quantized {} weights are not accepted", dtype_name(type));
  }
  if (act_bits != rules.block_activation_bits) {
    return format("block-quantized weights need {}-bit activations", rules.block_activation_bits);
  }
  const bool spatial = std::any_of(weight.begin() + std::min<std::ptrdiff_t>(2, std::ssize(weight)),
                                   weight.end(), [](std::int64_t size) { return size != 1; });
  if (node.is("ConvTranspose") ||
      (node.is("Conv") && (spatial || node.int_attribute("group", 1) != 1))) {
    return "blocks are accepted for 1x1 convolutions, Gemm and MatMul only";
  }
  if (!node.is("Conv") && weight.size() != 2) return "blocks need a weight matrix";
  if (rule.bias >= 0 && !node.input(static_cast<std::size_t>(rule.bias)).empty()) {
    return "a layer with block-quantized weights and a bias is not computed right";
  }
  const std::int64_t length =
      weight.at(static_cast<std::size_t>(reduction_axis(rule, node, weight)));
  if (block_size <= 0 || block_size % rules.block_multiple != 0) {
    return format("blocks of {} are no multiple of {}", block_size, rules.block_multiple);
  }
  if (length % block_size != 0) {
    return format("{} inputs are not whole blocks of {}; a shorter last one is computed wrongly",
                  length, block_size);
  }
  return std::nullopt;
}

Obstacle legality(const Rules& rules, const Graph& graph, const Node& node,
                  const NodeFormats& formats) {
  if (auto obstacle = integer_obstacle(rules, graph, node)) return obstacle;
  const OpRule& rule = *find_rule(rules, node);
  if (rule.role == OpRole::kIgnored) return std::nullopt;
  if (auto obstacle = rank_obstacle(rules, graph, node)) return obstacle;
  return FormatCheck(rules, graph, node, rule, formats).run();
}

}  // namespace hexquant::target
