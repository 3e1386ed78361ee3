#include "plan/layers.h"

#include <algorithm>
#include <string>

#include "core/format.h"
#include "plan/override_numbers.h"
#include "plan/weight_choice.h"
#include "target/legality.h"

namespace hexquant::plan {
namespace {

using graph::Node;
using quant::LayerDecision;
using quant::QuantPlan;
using quant::Role;
using quant::TensorPolicy;

constexpr int kFloatBits = 32;

std::string joined(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() ? a + b : a + "; " + b;
}

class LayerPlanner {
 public:
  LayerPlanner(const Context& context, const Fusions& fusions, QuantPlan& plan)
      : context_(context), fusions_(fusions), plan_(plan) {}

  void run() {
    for (const Node& node : context_.graph.nodes()) {
      const NodeChoice& choice = context_.choice(node);
      if (choice.handling == Handling::kFloat) {
        add_float_row(node, choice);
      } else if (choice.handling == Handling::kInteger && !fusions_.is_member(node)) {
        add_integer_layer(node, choice);
      } else if (choice.handling == Handling::kMover) {
        add_table_row(node, choice);
      }
    }
  }

 private:
  LayerDecision start_row(const Node& node, const NodeChoice& choice) const {
    LayerDecision row;
    row.node = node.name();
    row.op = node.op_type();
    row.requested_act_bits = choice.requested_act_bits;
    row.act_bits = choice.act_bits;
    row.output = fusions_.tail_of(node).output();
    row.reason = choice.reason;
    return row;
  }

  void add_float_row(const Node& node, const NodeChoice& choice) {
    LayerDecision row = start_row(node, choice);
    row.act_bits = kFloatBits;
    const target::OpRule* rule = target::find_rule(context_.target.rules, node);
    if (rule != nullptr && rule->weight) {
      row.weight = node.input(static_cast<std::size_t>(rule->weight->input));
      row.requested_weight_bits = choice.requested_weight_bits;
      row.weight_bits = kFloatBits;
    }
    plan_.layers.push_back(std::move(row));
  }

  /// Gather from a constant: the table is this layer's weights.
  void add_table_row(const Node& node, const NodeChoice& choice) {
    const auto policy = plan_.tensors.find(node.input(0));
    if (context_.graph.find_initializer(node.input(0)) == nullptr) return;
    if (policy == plan_.tensors.end()) return;
    LayerDecision row = start_row(node, choice);
    row.act_bits = dtype_bits(policy->second.type);
    row.weight = node.input(0);
    row.requested_weight_bits = choice.requested_weight_bits;
    row.weight_bits = row.act_bits;
    if (row.weight_bits != row.requested_weight_bits) {
      row.reason =
          format("asked int{}, got {} bits: {}", row.requested_weight_bits, row.weight_bits,
                 choice.pattern_weight_bits == 0
                     ? "table and gathered rows share the activations' encoding"
                     : "the fewest that a table of activations can have");
    } else if (row.act_bits != row.requested_act_bits) {
      row.reason = format(
          "asked {}-bit activations, got {}: the gathered rows have the table's "
          "encoding; their readers convert them",
          row.requested_act_bits, row.act_bits);
    }
    plan_.layers.push_back(std::move(row));
  }

  void add_integer_layer(const Node& node, const NodeChoice& choice) {
    LayerDecision row = start_row(node, choice);
    if (choice.rule->weight) add_weights(node, choice, row);
    for (const target::ParameterRule& parameter : choice.rule->parameters) {
      add_parameter(node, choice, parameter, row);
    }
    plan_.layers.push_back(std::move(row));
  }

  void add_weights(const Node& node, const NodeChoice& choice, LayerDecision& row) {
    const std::string& name = node.input(static_cast<std::size_t>(choice.rule->weight->input));
    const Tensor* weight = context_.graph.find_initializer(name);
    if (weight == nullptr) return;
    if (!context_.config.quantizes_param(node, "weight")) {
      row.weight = name;
      row.requested_weight_bits = choice.requested_weight_bits;
      row.weight_bits = kFloatBits;
      row.reason = joined(row.reason, "the configuration leaves the weights float");
      return;
    }
    const TensorPolicy policy = choose_weights(context_, node, *weight);
    add_constant(node, name, policy);
    row.weight = name;
    row.requested_weight_bits = choice.requested_weight_bits;
    row.weight_bits = dtype_bits(policy.type);
    row.granularity = policy.granularity;
    row.reason = joined(row.reason, policy.reason);
    const auto fused = fusions_.bias.find(&node);
    if (fused != fusions_.bias.end()) {
      add_bias(node, fused->second, name, policy);
    } else if (choice.rule->bias >= 0) {
      add_bias(node, node.input(static_cast<std::size_t>(choice.rule->bias)), name, policy);
    }
  }

  void add_parameter(const Node& node, const NodeChoice& choice,
                     const target::ParameterRule& parameter, LayerDecision& row) {
    const std::string& name = node.input(static_cast<std::size_t>(parameter.input));
    if (name.empty()) return;
    if (parameter.bias_of >= 0) {
      const std::string& scale = node.input(static_cast<std::size_t>(parameter.bias_of));
      const auto policy = plan_.tensors.find(scale);
      if (policy != plan_.tensors.end()) add_bias(node, name, scale, policy->second);
      return;
    }
    const auto type = parameter.types.find(choice.act_bits);
    if (type == parameter.types.end()) return;
    if (!context_.config.quantizes_param(node, "weight")) return;
    TensorPolicy policy;
    policy.role = Role::kWeight;
    policy.type = type->second;
    policy.symmetric = context_.config.symmetric_param(node, "weight").value_or(false);
    if (const TensorOverride* one = context_.overrides.find(name)) {
      if (one->symmetric) policy.symmetric = *one->symmetric;
      if (!one->is_float) use_tensor_numbers(*one, name, policy);
    }
    add_constant(node, name, policy);
    row.weight = name;
    row.requested_weight_bits = row.weight_bits = dtype_bits(policy.type);
  }

  /// A constant that several nodes read in different forms keeps the first form.
  void add_constant(const Node& node, const std::string& name, const TensorPolicy& policy) {
    const auto [position, is_new] = plan_.tensors.try_emplace(name, policy);
    const TensorPolicy& known = position->second;
    if (is_new || (known.role == policy.role && known.type == policy.type &&
                   known.granularity == policy.granularity && known.axis == policy.axis)) {
      return;
    }
    plan_.findings.push_back(
        {"shared-constant", Severity::kWarning, name,
         format("read in two forms; node '{}' wants {} per {}, it has {} per {}", node.name(),
                dtype_name(policy.type), granularity_name(policy.granularity),
                dtype_name(known.type), granularity_name(known.granularity)),
         "give each reader a constant of its own"});
  }

  void add_bias(const Node& node, const std::string& name, const std::string& weight,
                const TensorPolicy& policy) {
    const Tensor* bias = context_.graph.find_initializer(name);
    if (name.empty()) return;
    const std::string why =
        bias == nullptr ? "it is computed" : bias_obstacle(node, *bias, name, weight, policy);
    if (!why.empty()) {
      plan_.findings.push_back(
          {"float-bias", Severity::kWarning, name,
           format("the bias of '{}' stays float: {}", node.name(), why),
           "give the layer a constant bias of its own, one element an output"});
      return;
    }
    const TensorOverride* one = context_.overrides.find(name);
    if (one != nullptr && one->is_float) return;
    if (wants_byte_bias(node, one)) {
      add_byte_bias(name, one);
      return;
    }
    quant::BiasSource source{node.input(0), weight};
    const quant::EdgeKey edge{node.name(), 0};
    if (plan_.edges.contains(edge)) source.activation_edge = edge;
    // The scale of an int32 bias is the product of those of its layer's input and weights.
    if (source.activation_edge || plan_.tensors.contains(source.activation)) {
      plan_.biases[name] = source;
    }
  }

  [[nodiscard]] bool wants_byte_bias(const Node& node, const TensorOverride* one) const {
    constexpr int kByteBits = 8;
    if (one != nullptr) return one->bits == kByteBits;
    // is_quantized of a bias means a quantizer of its own, at the width of parameters.
    return context_.options.bias_bits == kByteBits ||
           (context_.config.given() && context_.config.quantizes_param(node, "bias"));
  }

  void add_byte_bias(const std::string& name, const TensorOverride* one) {
    TensorPolicy byte;
    byte.role = Role::kWeight;
    byte.type = DType::kInt8;
    byte.symmetric = true;
    byte.reason = "8-bit bias asked for";
    if (one != nullptr) use_tensor_numbers(*one, name, byte);
    plan_.tensors[name] = byte;
  }

  [[nodiscard]] std::string bias_obstacle(const Node& node, const Tensor& bias,
                                          const std::string& name, const std::string& weight,
                                          const TensorPolicy& policy) const {
    if (bias.dtype() != DType::kFloat32) return format("its type is {}", dtype_name(bias.dtype()));
    if (bias.rank() != 1) return format("its shape is {}", shape_text(bias.shape()));
    if (context_.graph.uses(name).size() != 1) return "other nodes read it too";
    if (policy.granularity != Granularity::kChannel) return "";
    const Shape& shape = context_.graph.find_initializer(weight)->shape();
    const std::int64_t channels = shape.at(static_cast<std::size_t>(policy.axis));
    if (bias.size() == channels) return "";
    return format("it has {} elements for {} channels of '{}' ({})", bias.size(), channels, weight,
                  node.op_type());
  }

  const Context& context_;
  const Fusions& fusions_;
  QuantPlan& plan_;
};

}  // namespace

void plan_layers(const Context& context, const Fusions& fusions, QuantPlan& plan) {
  LayerPlanner(context, fusions, plan).run();
}

}  // namespace hexquant::plan
