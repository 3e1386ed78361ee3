#include "plan/classify.h"

#include <algorithm>
#include <optional>

#include "core/format.h"
#include "graph/integer_input.h"
#include "plan/pattern.h"
#include "target/legality.h"

namespace hexquant::plan {
namespace {

using graph::Graph;
using graph::Node;
using target::OpRole;
using target::OpRule;

DType unsigned_type(int bits) {
  return bits == 8 ? DType::kUInt8 : DType::kUInt16;
}

bool accepts(const OpRule& rule, int act_bits) {
  return std::find(rule.types.begin(), rule.types.end(), unsigned_type(act_bits)) !=
         rule.types.end();
}

bool is_constant(const Graph& graph, const std::string& value) {
  return value.empty() || graph.find_initializer(value) != nullptr;
}

/// True if some input or output is float, or of unknown type.
bool touches_float(const Graph& graph, const Node& node) {
  const auto is_float = [&](const std::string& value) {
    if (value.empty()) return false;
    const DType dtype = value_dtype(graph, value);
    return dtype == DType::kUndefined || is_floating(dtype);
  };
  return std::any_of(node.inputs().begin(), node.inputs().end(), is_float) ||
         std::any_of(node.outputs().begin(), node.outputs().end(), is_float);
}

/// Pads with 0, or repeats elements: no value that the input's range does not hold.
bool pads_within_range(const Graph& graph, const Node& node) {
  if (node.string_attribute("mode", "constant") != "constant") return true;
  if (node.input(2).empty()) return node.float_attribute("value", 0.0F) == 0.0F;
  const Tensor* value = graph.find_initializer(node.input(2));
  return value != nullptr && value->size() == 1 && to_doubles(*value)[0] == 0.0;
}

/// Why the element types of the node's values keep it from being quantized.
std::optional<std::string> type_obstacle(const Graph& graph, const Node& node, const OpRule& rule) {
  const auto check = [&](const std::string& value) -> std::optional<std::string> {
    const DType dtype = value_dtype(graph, value);
    if (dtype == DType::kFloat32 || (dtype != DType::kUndefined && !is_floating(dtype))) {
      return std::nullopt;
    }
    if (dtype == DType::kUndefined) return format("the type of '{}' is not known", value);
    return format("'{}' is {}: only float32 is quantized", value, dtype_name(dtype));
  };
  for (std::size_t i = 0; i < node.inputs().size(); ++i) {
    const bool is_read = rule.inputs.empty() || std::find(rule.inputs.begin(), rule.inputs.end(),
                                                          static_cast<int>(i)) != rule.inputs.end();
    if (!is_read || node.input(i).empty()) continue;
    if (auto obstacle = check(node.input(i))) return obstacle;
  }
  for (const std::string& output : node.outputs()) {
    if (output.empty()) continue;
    if (auto obstacle = check(output)) return obstacle;
  }
  return std::nullopt;
}

/// Decides about single nodes; the graph around them does not matter yet.
class Classifier {
 public:
  Classifier(const Graph& graph, const target::Target& target, const PlanOptions& options,
             const ConfigRules& config, const NodeWishes& wishes)
      : graph_(graph), target_(target), options_(options), config_(config), wishes_(wishes) {}

  [[nodiscard]] NodeChoice choose(const Node& node, Findings& findings) const {
    const OpRule* rule = target::find_rule(target_.rules, node);
    NodeChoice choice = requested(node, rule);
    const bool ignored = rule != nullptr && rule->role == OpRole::kIgnored;
    if (ignored || !touches_float(graph_, node) || is_constant_node(node)) return choice;
    if (graph::integer_input(graph_, node.output())) return choice;
    if (const std::string wish = float_wish(node); !wish.empty()) {
      choice.handling = Handling::kFloat;
      choice.reason = format("kept float by {}", wish);
      findings.push_back({"kept-float", Severity::kInfo, node.name(),
                          format("{} stays float: asked for by {}", node.op_type(), wish), ""});
      return choice;
    }
    auto obstacle = target::integer_obstacle(target_.rules, graph_, node);
    if (!obstacle) obstacle = type_obstacle(graph_, node, *rule);
    if (!obstacle) {
      choice.rule = rule;
      choice.handling = handling(node, *rule);
      if (choice.handling == Handling::kInteger) obstacle = choose_width(node, choice);
    }
    if (obstacle) stay_float(node, *obstacle, choice, findings);
    return choice;
  }

 private:
  [[nodiscard]] const NodeWish* find_wish(const Node& node) const {
    const auto found = wishes_.find(&node);
    return found == wishes_.end() ? nullptr : &found->second;
  }

  /// What options and overrides ask for; overrides win.
  [[nodiscard]] NodeChoice requested(const Node& node, const OpRule* rule) const {
    NodeChoice choice;
    choice.requested_act_bits = options_.act_bits;
    choice.requested_weight_bits = options_.weight_bits;
    choice.weight_bits_forced = options_.weight_bits_everywhere;
    for (const LayerBits& layer : options_.layer_bits) {
      if (!matches_node(layer.pattern, node)) continue;
      if (layer.act_bits != 0) choice.requested_act_bits = layer.act_bits;
      if (layer.weight_bits != 0) {
        choice.requested_weight_bits = layer.weight_bits;
        choice.weight_bits_forced = true;
        choice.pattern_weight_bits = layer.weight_bits;
      }
    }
    const NodeWish* wish = find_wish(node);
    if (wish == nullptr) return choice;
    if (wish->weight_bits != 0) {
      choice.requested_weight_bits = wish->weight_bits;
      choice.weight_bits_forced = true;
      choice.pattern_weight_bits = wish->weight_bits;
    }
    if (wish->act_bits != 0) {
      choice.requested_act_bits = wish->act_bits;
    } else if (wish->input_act_bits > choice.requested_act_bits && rule != nullptr &&
               runs(node, *rule, wish->input_act_bits)) {
      choice.requested_act_bits = wish->input_act_bits;
    }
    return choice;
  }

  /// True if target and configuration both compute the operation in this width.
  [[nodiscard]] bool runs(const Node& node, const OpRule& rule, int act_bits) const {
    return accepts(rule, act_bits) && config_.has_integer_kernel(node, act_bits);
  }

  /// Which option asks that the node stays float; empty = none.
  [[nodiscard]] std::string float_wish(const Node& node) const {
    for (const std::string& pattern : options_.keep_float) {
      if (matches_node(pattern, node)) return format("'{}'", pattern);
    }
    const NodeWish* wish = find_wish(node);
    if (wish == nullptr || wish->float_tensor.empty()) return "";
    return format("the override of '{}'", wish->float_tensor);
  }

  [[nodiscard]] bool is_constant_node(const Node& node) const {
    return !node.inputs().empty() && !node.has_subgraph() &&
           std::all_of(node.inputs().begin(), node.inputs().end(),
                       [&](const std::string& input) { return is_constant(graph_, input); });
  }

  [[nodiscard]] Handling handling(const Node& node, const OpRule& rule) const {
    if (rule.role == OpRole::kConcat) return Handling::kConcat;
    if (rule.role != OpRole::kMover) return Handling::kInteger;
    if (rule.when == "zero_pad" && !pads_within_range(graph_, node)) return Handling::kInteger;
    return Handling::kMover;
  }

  /// Sets act_bits, or says why no width will do. Float keeps more accuracy than 8 bits instead of
  /// 16, so another width is taken only where the chip has no float at all.
  [[nodiscard]] std::optional<std::string> choose_width(const Node& node,
                                                        NodeChoice& choice) const {
    const int wanted = choice.requested_act_bits;
    choice.act_bits = wanted;
    if (runs(node, *choice.rule, wanted)) return std::nullopt;
    const int other = wanted == 8 ? 16 : 8;
    if (accepts(*choice.rule, wanted)) {
      if (!runs(node, *choice.rule, other)) {
        return format("the configuration has no kernel of integers for {}", node.op_type());
      }
      choice.act_bits = other;
      choice.reason = format(
          "asked {}-bit activations, got {}: the configuration has no kernel of "
          "{} bits for {}",
          wanted, other, wanted, node.op_type());
      return std::nullopt;
    }
    if ((target_.rules.has_float() && other < wanted) || !config_.has_integer_kernel(node, other)) {
      return format("{} does not run with {}-bit activations", node.op_type(), wanted);
    }
    choice.act_bits = other;
    choice.reason = format("asked {}-bit activations, got {}: {} does not run with {} bits", wanted,
                           other, node.op_type(), wanted);
    return std::nullopt;
  }

  void stay_float(const Node& node, const std::string& reason, NodeChoice& choice,
                  Findings& findings) const {
    choice.handling = Handling::kFloat;
    choice.rule = nullptr;
    choice.reason = reason;
    const std::string where =
        target_.rules.has_float()
            ? std::string("replace the operation, or accept a float island")
            : format("{} has no float unit: the CPU runs it; replace it", target_.soc.name);
    findings.push_back({"stays-float", Severity::kWarning, node.name(),
                        format("{} stays float: {}", node.op_type(), reason), where});
  }

  const Graph& graph_;
  const target::Target& target_;
  const PlanOptions& options_;
  const ConfigRules& config_;
  const NodeWishes& wishes_;
};

}  // namespace

DType value_dtype(const Graph& graph, const std::string& value) {
  if (const Tensor* constant = graph.find_initializer(value)) return constant->dtype();
  const graph::ValueType* type = graph.find_type(value);
  return type == nullptr ? DType::kUndefined : type->dtype;
}

std::vector<int> activation_inputs(const Context& context, const Node& node) {
  const OpRule& rule = *context.choice(node).rule;
  const auto is_parameter = [&](int index) {
    return std::any_of(rule.parameters.begin(), rule.parameters.end(),
                       [&](const target::ParameterRule& p) { return p.input == index; });
  };
  // A mover that computes after all (Pad with a value) still moves only its first input.
  const bool first_only = rule.role == OpRole::kMover;
  std::vector<int> indices;
  for (int i = 0; i < std::ssize(node.inputs()); ++i) {
    const std::string& value = node.input(static_cast<std::size_t>(i));
    if (value.empty() || i == rule.bias || is_parameter(i) || (first_only && i > 0)) continue;
    const bool listed = rule.inputs.empty() ||
                        std::find(rule.inputs.begin(), rule.inputs.end(), i) != rule.inputs.end();
    if (!listed || value_dtype(context.graph, value) != DType::kFloat32) continue;
    const bool is_weight =
        rule.weight && rule.weight->input == i && context.graph.find_initializer(value) != nullptr;
    if (!is_weight) indices.push_back(i);
  }
  return indices;
}

std::vector<std::string> float_outputs(const Graph& graph, const Node& node) {
  std::vector<std::string> outputs;
  for (const std::string& output : node.outputs()) {
    if (!output.empty() && value_dtype(graph, output) == DType::kFloat32) outputs.push_back(output);
  }
  return outputs;
}

bool reads_as_float(const Context& context, const Node& node) {
  const Handling handling = context.choice(node).handling;
  return handling == Handling::kFloat ||
         (handling == Handling::kOutside && !float_outputs(context.graph, node).empty());
}

NodeChoices classify_nodes(const Graph& graph, const target::Target& target,
                           const PlanOptions& options, const ConfigRules& config,
                           const NodeWishes& wishes, Findings& findings) {
  const Classifier classifier(graph, target, options, config, wishes);
  NodeChoices choices;
  for (const Node& node : graph.nodes()) choices[&node] = classifier.choose(node, findings);
  return choices;
}

}  // namespace hexquant::plan
