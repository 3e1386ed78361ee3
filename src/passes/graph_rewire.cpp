#include "passes/graph_rewire.h"

#include <algorithm>
#include <utility>

#include "hexquant/error.h"

namespace hexquant::passes {

using graph::Graph;
using graph::Node;

bool is_needed(const Graph& graph, const std::string& value) {
  return !value.empty() && (!graph.uses(value).empty() || graph.is_output(value));
}

bool bypass_node(Graph& graph, const Node& node, const std::string& source_name) {
  const std::string source = source_name;
  const std::string output = node.output();
  for (std::size_t i = 1; i < node.outputs().size(); ++i) {
    if (is_needed(graph, node.output(i))) return false;
  }
  const bool keeps_name = graph.is_output(output) || graph.is_captured(output);
  if (!keeps_name) {
    graph.replace_uses(output, source);
    graph.erase_node(node);
    return true;
  }
  if (graph.is_output(source) || graph.is_captured(source)) return false;
  if (const Node* producer = graph.producer(source)) {
    // The source takes the protected name.
    const auto& names = producer->outputs();
    const auto index = std::find(names.begin(), names.end(), source) - names.begin();
    graph.erase_node(node);
    graph.replace_uses(source, output);
    graph.erase_type(source);
    graph.set_output(*producer, static_cast<std::size_t>(index), output);
    return true;
  }
  const Tensor* constant = graph.find_initializer(source);
  if (constant == nullptr || graph.is_output(output)) return false;
  replace_by_constant(graph, node, *constant);
  return true;
}

void replace_by_constant(Graph& graph, const Node& node, Tensor tensor) {
  const std::string output = node.output();
  HEXQUANT_CHECK(!graph.is_output(output), "graph output '" + output + "' would become a constant");
  graph.erase_node(node);
  graph.erase_type(output);
  graph.add_initializer(output, std::move(tensor));
}

std::optional<graph::ValueType> known_type(const Graph& graph, const std::string& value) {
  if (const Tensor* tensor = graph.find_initializer(value)) {
    graph::ValueType type{tensor->dtype(), std::vector<graph::Dim>{}};
    for (const std::int64_t dim : tensor->shape()) type.shape->push_back({dim, ""});
    return type;
  }
  const graph::ValueType* type = graph.find_type(value);
  if (type == nullptr) return std::nullopt;
  return *type;
}

std::optional<std::vector<std::int64_t>> constant_ints(const Graph& graph,
                                                       const std::string& value) {
  const Tensor* tensor = graph.find_initializer(value);
  if (tensor == nullptr) return std::nullopt;
  if (tensor->dtype() == DType::kInt64) {
    const auto data = tensor->data<std::int64_t>();
    return std::vector<std::int64_t>(data.begin(), data.end());
  }
  if (tensor->dtype() == DType::kInt32) {
    const auto data = tensor->data<std::int32_t>();
    return std::vector<std::int64_t>(data.begin(), data.end());
  }
  return std::nullopt;
}

IntsParameter ints_parameter(const Graph& graph, const Node& node, const std::string& attribute,
                             std::size_t index) {
  if (!node.input(index).empty()) {
    auto values = constant_ints(graph, node.input(index));
    const bool known = values.has_value();
    return {known, std::move(values)};
  }
  if (node.find_attribute(attribute) == nullptr) return {};
  return {true, node.ints_attribute(attribute, {})};
}

graph::NodeSpec copy_spec(const Node& node) {
  return {node.op_type(),    node.inputs(), node.outputs(),
          node.attributes(), node.name(),   node.domain()};
}

}  // namespace hexquant::passes
