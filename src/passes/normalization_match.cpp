#include "passes/normalization_match.h"

#include <algorithm>
#include <cmath>

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

bool is_power(const Graph& graph, const Node& node, double exponent) {
  const auto constant = scalar_constant(graph, node.input(1));
  return node.is("Pow") && constant && *constant == exponent;
}

/// base of value = base^2.
std::optional<std::string> match_square(const Graph& graph, const std::string& value,
                                        Nodes& nodes) {
  if (const Node* power = match_producer(graph, value, "Pow", nodes)) {
    if (!is_power(graph, *power, 2.0)) return std::nullopt;
    return skip_casts(graph, power->input(0), nodes);
  }
  const Node* product = match_producer(graph, value, "Mul", nodes);
  if (product == nullptr) return std::nullopt;
  const std::string base = skip_casts(graph, product->input(0), nodes);
  if (base != skip_casts(graph, product->input(1), nodes)) return std::nullopt;
  return base;
}

/// value = mean(base^2) + epsilon.
bool match_mean_square(const Graph& graph, const std::string& value, RmsQuotient& match) {
  const Node* sum = match_producer(graph, value, "Add", match.nodes);
  if (sum == nullptr) return false;
  const auto operands = split_scalar(graph, *sum);
  if (!operands || !(operands->constant >= 0.0)) return false;
  const Node* mean = match_producer(graph, operands->tensor, "ReduceMean", match.nodes);
  if (mean == nullptr) return false;
  const auto axes = kept_axes_from_end(graph, *mean);
  if (!axes || !are_trailing(*axes)) return false;
  const auto base = match_square(graph, mean->input(0), match.nodes);
  if (!base) return false;
  match.epsilon = operands->constant;
  match.axes = *axes;
  match.base = *base;
  return true;
}

/// value = sqrt(mean(base^2) + epsilon).
bool match_root(const Graph& graph, const std::string& value, RmsQuotient& match) {
  if (const Node* root = match_producer(graph, value, "Sqrt", match.nodes)) {
    return match_mean_square(graph, root->input(0), match);
  }
  const Node* root = match_producer(graph, value, "Pow", match.nodes);
  return root != nullptr && is_power(graph, *root, 0.5) &&
         match_mean_square(graph, root->input(0), match);
}

bool match_inverse_root(const Graph& graph, const std::string& value, RmsQuotient& match) {
  if (const Node* inverse = match_producer(graph, value, "Reciprocal", match.nodes)) {
    return match_root(graph, inverse->input(0), match);
  }
  if (const Node* power = match_producer(graph, value, "Pow", match.nodes)) {
    return is_power(graph, *power, -0.5) && match_mean_square(graph, power->input(0), match);
  }
  const Node* quotient = match_producer(graph, value, "Div", match.nodes);
  if (quotient == nullptr) return false;
  const auto one = scalar_constant(graph, quotient->input(0));
  return one && *one == 1.0 && match_root(graph, quotient->input(1), match);
}

/// The operand of a Mul or Add that is not `value`, if it is a constant for `shape`.
std::optional<std::string> constant_operand(const Graph& graph, const Node& node,
                                            const std::string& value, const Shape& shape,
                                            std::int64_t rank, Nodes& nodes) {
  for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
    if (skip_casts(graph, node.input(index), nodes) != skip_casts(graph, value, nodes)) continue;
    const std::string& other = node.input(1 - index);
    const Tensor* tensor = graph.find_initializer(other);
    if (tensor == nullptr || tensor->rank() > rank) continue;
    if (broadcast_constant(graph, other, shape)) return other;
  }
  return std::nullopt;
}

}  // namespace

std::optional<RmsQuotient> match_inverse_rms(const Graph& graph, const std::string& value) {
  RmsQuotient match;
  if (!match_inverse_root(graph, value, match)) return std::nullopt;
  return match;
}

std::optional<RmsQuotient> match_rms_quotient(const Graph& graph, const Node& node) {
  if (node.is("Div")) {
    RmsQuotient match;
    if (!match_root(graph, node.input(1), match)) return std::nullopt;
    match.numerator = skip_casts(graph, node.input(0), match.nodes);
    match.last = &node;
    add_once(match.nodes, node);
    return match;
  }
  if (!node.is("Mul")) return std::nullopt;
  for (const std::size_t index : {std::size_t{1}, std::size_t{0}}) {
    RmsQuotient match;
    if (!match_inverse_root(graph, node.input(index), match)) continue;
    match.numerator = skip_casts(graph, node.input(1 - index), match.nodes);
    match.last = &node;
    add_once(match.nodes, node);
    return match;
  }
  return std::nullopt;
}

AffineTail match_affine_tail(const Graph& graph, const std::string& value, const Shape& shape,
                             std::int64_t rank, bool with_shift) {
  AffineTail tail;
  std::string at = value;
  const auto take = [&](const char* op_type, std::string& constant) {
    Nodes nodes = tail.nodes;
    const Node* node = only_reader(graph, at, nodes);
    if (node == nullptr || !node->is(op_type)) return;
    const auto operand = constant_operand(graph, *node, at, shape, rank, nodes);
    if (!operand) return;
    constant = *operand;
    add_once(nodes, *node);
    tail.nodes = std::move(nodes);
    tail.last = node;
    at = node->output();
  };
  take("Mul", tail.scale);
  if (with_shift) take("Add", tail.shift);
  return tail;
}

std::string scale_of_shape(Graph& graph, const std::string& scale, const std::string& node_name,
                           const Shape& shape) {
  if (!scale.empty()) return constant_of_shape(graph, scale, shape);
  const std::vector<float> ones(static_cast<std::size_t>(element_count(shape)), 1.0F);
  const std::string name = graph.unique_name(node_name + "_scale");
  graph.add_initializer(name, Tensor::from(shape, ones));
  return name;
}

}  // namespace hexquant::passes
