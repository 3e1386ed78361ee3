#include "pipeline/layer_steps.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "graph/node_order.h"
#include "hexquant/error.h"
#include "plan/fusion.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeOrder;
using quant::QuantPlan;

/// The bias of the layer among those that the plan quantizes, or "".
std::string find_bias(const Graph& graph, const QuantPlan& plan, const Node& node,
                      const std::string& weight) {
  for (const auto& [name, source] : plan.biases) {
    if (source.weight != weight || graph.find_initializer(name) == nullptr) continue;
    const auto& inputs = node.inputs();
    if (std::find(inputs.begin(), inputs.end(), name) != inputs.end()) return name;
    const Node* next = graph.single_consumer(node.output());
    if (next != nullptr && next->is("Add") &&
        std::find(next->inputs().begin(), next->inputs().end(), name) != next->inputs().end()) {
      return name;
    }
  }
  return {};
}

void find_followers(const Graph& graph, const NodeOrder& order, LayerStep& step) {
  const Node* next = graph.single_consumer(step.node->output());
  if (next == nullptr) return;
  const auto reads_bias = [&](const Node& node) {
    return !step.bias.empty() &&
           std::find(node.inputs().begin(), node.inputs().end(), step.bias) != node.inputs().end();
  };
  std::string output = step.node->output();
  if (next->is("Add") && reads_bias(*next)) {
    output = next->output();
    next = graph.single_consumer(output);
    if (next == nullptr) return;
  }
  if (next->is("Relu") || next->is("Clip")) {
    step.clamp = plan::clamp_range(graph, *next);
  } else if (next->is("Add")) {
    const int other = next->input(0) == output ? 1 : 0;
    const std::string& addend = next->input(static_cast<std::size_t>(other));
    const graph::ValueType* type = graph.find_type(addend);
    const graph::ValueType* mine = graph.find_type(output);
    if (addend == output || type == nullptr || mine == nullptr || !type->shape ||
        type->shape != mine->shape || !order.known_before(addend, order.position(*step.node))) {
      return;
    }
    step.add = next;
    step.addend_input = other;
  }
}

std::int64_t value_elements(const Graph& graph, const std::string& value) {
  const graph::ValueType* type = graph.find_type(value);
  if (type == nullptr || !type->shape) return 0;
  std::int64_t elements = 1;
  for (const graph::Dim& dim : *type->shape) elements *= dim.is_fixed() ? dim.value : 1;
  return elements;
}

}  // namespace

std::vector<LayerStep> find_layer_steps(const Graph& graph, const QuantPlan& plan) {
  const NodeOrder order(graph);
  std::vector<LayerStep> steps;
  std::unordered_set<std::string> seen;
  for (const Node& node : graph.nodes()) {
    const auto layout = quant::WeightMatrix::find(graph, node);
    if (!layout) continue;
    LayerStep step;
    step.node = &node;
    step.layout = *layout;
    step.weight = node.input(static_cast<std::size_t>(layout->weight_input()));
    step.data_input = layout->weight_input() == 1 ? 0 : 1;
    const auto policy = plan.tensors.find(step.weight);
    if (policy == plan.tensors.end() || policy->second.role != quant::Role::kWeight) continue;
    if (policy->second.fixed_encoding || policy->second.fixed_range) continue;  // the user's
    if (graph.uses(step.weight).size() != 1 || !seen.insert(step.weight).second) continue;
    step.bias = find_bias(graph, plan, node, step.weight);
    find_followers(graph, order, step);
    step.frontier = order.frontier(order.position(node));
    steps.push_back(std::move(step));
  }
  return steps;
}

std::vector<std::string> held_values(const Graph& quantized, const std::string& name) {
  const Node* producer = quantized.producer(name);
  if (producer != nullptr && producer->op_type() == "DequantizeLinear" &&
      quantized.find_initializer(producer->input(0)) == nullptr) {
    return {producer->input(0)};
  }
  std::vector<std::string> codes;
  for (const graph::Use& use : quantized.uses(name)) {
    if (use.node->op_type() != "QuantizeLinear") return {name};
    codes.push_back(use.node->output());
  }
  return codes.empty() ? std::vector<std::string>{name} : codes;
}

const Node& node_named(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes()) {
    if (node.name() == name) return node;
  }
  throw Error(ErrorCode::kInternal, "no node '" + name + "'");
}

std::int64_t widest_cut_bytes(const Graph& graph, const std::vector<LayerStep>& steps) {
  constexpr std::int64_t kFloatAndCodeBytes = 4 + 2;
  std::int64_t widest = 0;
  for (const LayerStep& step : steps) {
    std::int64_t elements = 0;
    for (const std::string& value : step.frontier) elements += value_elements(graph, value);
    widest = std::max(widest, elements * kFloatAndCodeBytes);
  }
  return widest;
}

}  // namespace hexquant::pipeline
