#include "passes/graph_match.h"

#include <algorithm>
#include <cmath>

#include "hexquant/error.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeSpec;

bool contains(const Nodes& nodes, const Node* node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

bool has_outside_reader(const Graph& graph, const Nodes& nodes, const std::string& value) {
  if (graph.is_output(value)) return true;
  const auto& uses = graph.uses(value);
  return std::any_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
    return use.index == graph::Use::kCaptured || !contains(nodes, use.node);
  });
}

std::optional<std::vector<std::int64_t>> stored_axes(const Graph& graph, const Node& node) {
  if (node.inputs().size() < 2 || node.input(1).empty()) {
    if (node.find_attribute("axes") == nullptr) return std::nullopt;
    return node.ints_attribute("axes", {});
  }
  const Tensor* axes = graph.find_initializer(node.input(1));
  if (axes == nullptr || axes->dtype() != DType::kInt64) return std::nullopt;
  return to_int64s(*axes);
}

}  // namespace

bool is_near(double value, double expected) noexcept {
  return std::abs(value - expected) <= kConstantTolerance * std::abs(expected);
}

void add_once(Nodes& nodes, const Node& node) {
  if (!contains(nodes, &node)) nodes.push_back(&node);
}

std::optional<double> scalar_constant(const Graph& graph, const std::string& value,
                                      std::int64_t max_rank) {
  const Tensor* tensor = graph.find_initializer(value);
  if (tensor == nullptr || tensor->size() != 1 || tensor->rank() > max_rank) return std::nullopt;
  if (tensor->dtype() == DType::kString || tensor->dtype() == DType::kBool) return std::nullopt;
  return to_doubles(*tensor).front();
}

DType known_dtype(const Graph& graph, const std::string& value) {
  if (const Tensor* tensor = graph.find_initializer(value)) return tensor->dtype();
  if (const graph::ValueType* type = graph.find_type(value)) return type->dtype;
  return DType::kUndefined;
}

std::optional<Shape> last_dimensions(const Graph& graph, const std::string& value,
                                     std::int64_t count) {
  const graph::ValueType* type = graph.find_type(value);
  if (type == nullptr || !type->shape) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(type->shape->size());
  if (count < 1 || count > rank) return std::nullopt;
  Shape sizes;
  for (std::int64_t i = rank - count; i < rank; ++i) {
    const graph::Dim& dim = (*type->shape)[static_cast<std::size_t>(i)];
    if (!dim.is_fixed()) return std::nullopt;
    sizes.push_back(dim.value);
  }
  return sizes;
}

const Node* producer_of(const Graph& graph, const std::string& value, const std::string& op_type) {
  const Node* node = graph.producer(value);
  return node != nullptr && node->is(op_type) ? node : nullptr;
}

bool is_neutral_cast(const Graph& graph, const Node& node) {
  if (!node.is("Cast")) return false;
  const DType from = known_dtype(graph, node.input(0));
  return from != DType::kUndefined && from == static_cast<DType>(node.int_attribute("to", 0));
}

std::string skip_casts(const Graph& graph, const std::string& value, Nodes& nodes) {
  std::string at = value;
  for (const Node* node = graph.producer(at); node != nullptr && is_neutral_cast(graph, *node);
       node = graph.producer(at)) {
    add_once(nodes, *node);
    at = node->input(0);
  }
  return at;
}

const Node* match_producer(const Graph& graph, const std::string& value, const std::string& op_type,
                           Nodes& nodes) {
  const Node* node = producer_of(graph, skip_casts(graph, value, nodes), op_type);
  if (node != nullptr) add_once(nodes, *node);
  return node;
}

const Node* only_reader(const Graph& graph, const std::string& value, Nodes& nodes) {
  const Node* reader = graph.single_consumer(value);
  while (reader != nullptr && is_neutral_cast(graph, *reader)) {
    add_once(nodes, *reader);
    reader = graph.single_consumer(reader->output());
  }
  return reader;
}

std::optional<Operands> split_scalar(const Graph& graph, const Node& node) {
  if (node.inputs().size() != 2) return std::nullopt;
  for (const std::size_t index : {std::size_t{1}, std::size_t{0}}) {
    const std::string& tensor = node.input(1 - index);
    const std::int64_t rank = known_rank(graph, tensor).value_or(1);
    if (const auto constant =
            scalar_constant(graph, node.input(index), std::max<std::int64_t>(rank, 1))) {
      return Operands{tensor, *constant, index};
    }
  }
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> kept_axes_from_end(const Graph& graph, const Node& node) {
  if (node.int_attribute("keepdims", 1) != 1) return std::nullopt;
  auto axes = stored_axes(graph, node);
  if (!axes || axes->empty()) return std::nullopt;
  const auto rank = known_rank(graph, node.input(0));
  for (std::int64_t& axis : *axes) {
    if (axis < 0) continue;
    if (!rank) return std::nullopt;
    axis -= *rank;
  }
  std::sort(axes->begin(), axes->end());
  return axes;
}

bool are_trailing(const std::vector<std::int64_t>& axes_from_end) noexcept {
  const auto count = static_cast<std::int64_t>(axes_from_end.size());
  for (std::int64_t i = 0; i < count; ++i) {
    if (axes_from_end[static_cast<std::size_t>(i)] != i - count) return false;
  }
  return count > 0;
}

std::string find_open_value(const Graph& graph, Nodes& nodes, const Node& last) {
  std::erase_if(nodes, [&](const Node* node) {
    return node != &last && is_neutral_cast(graph, *node) &&
           has_outside_reader(graph, nodes, node->output());
  });
  for (const Node* node : nodes) {
    if (node == &last) continue;
    for (const std::string& output : node->outputs()) {
      if (!output.empty() && has_outside_reader(graph, nodes, output)) return output;
    }
  }
  return {};
}

const Node& replace_nodes(Graph& graph, const Nodes& nodes, const Node& last, NodeSpec spec) {
  HEXQUANT_CHECK(contains(nodes, &last), "the last node is not part of the match");
  spec.name = last.name();
  spec.outputs = {last.output()};
  graph.set_output(last, 0, "");
  const Node& fused = graph.insert_before(last, std::move(spec));
  for (const Node* node : nodes) {
    for (const std::string& output : node->outputs()) {
      if (!output.empty()) graph.erase_type(output);
    }
    graph.erase_node(*node);
  }
  return fused;
}

std::string constant_of_shape(Graph& graph, const std::string& value, const Shape& shape) {
  if (graph.find_initializer(value)->shape() == shape) return value;
  const std::string name = graph.unique_name(value + "_expanded");
  graph.add_initializer(name, *broadcast_constant(graph, value, shape));
  return name;
}

}  // namespace hexquant::passes
