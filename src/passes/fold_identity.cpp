#include "passes/fold_identity.h"

#include <algorithm>
#include <numeric>

#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::Node;
using graph::ValueType;
using Dims = std::vector<Dim>;

/// Number of dimensions in which shapes of the same rank cannot be told equal; nullopt when they
/// differ.
std::optional<int> unclear_dimensions(const Graph& graph, const std::string& a,
                                      const std::string& b) {
  const auto x = known_type(graph, a);
  const auto y = known_type(graph, b);
  if (!x || !y || !x->shape || !y->shape || x->shape->size() != y->shape->size()) {
    return std::nullopt;
  }
  int unclear = 0;
  for (std::size_t i = 0; i < x->shape->size(); ++i) {
    const Dim& p = (*x->shape)[i];
    const Dim& q = (*y->shape)[i];
    if (p.is_fixed() != q.is_fixed()) return std::nullopt;
    if (p.is_fixed() && p.value != q.value) return std::nullopt;
    // A fixed 0 would hide what the other dimensions are.
    if (p.is_fixed() && p.value == 0) return std::nullopt;
    if (!p.is_fixed() && (p.symbol.empty() || p.symbol != q.symbol)) ++unclear;
  }
  return unclear;
}

bool same_shape(const Graph& graph, const std::string& a, const std::string& b) {
  return unclear_dimensions(graph, a, b) == 0;
}

/// For values with the same number of elements: then one dimension may be unclear.
bool same_shape_of_same_size(const Graph& graph, const std::string& a, const std::string& b) {
  const auto unclear = unclear_dimensions(graph, a, b);
  return unclear && *unclear <= 1;
}

bool is_reshape_like(const Node& node) {
  return node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze");
}

/// Value before a chain of reshaping nodes that the end of the chain equals; "" when none.
std::string reshape_source(const Graph& graph, const Node& last) {
  std::string found;
  for (const Node* node = &last; node != nullptr && is_reshape_like(*node);
       node = graph.producer(node->input(0))) {
    const std::string& source = node->input(0);
    if (same_shape_of_same_size(graph, source, last.output())) found = source;
  }
  return found;
}

std::optional<std::vector<std::int64_t>> permutation(const Graph& graph, const Node& node) {
  if (node.find_attribute("perm") != nullptr) return node.ints_attribute("perm", {});
  const auto rank = known_rank(graph, node.input(0));
  if (!rank) return std::nullopt;
  std::vector<std::int64_t> reversed(static_cast<std::size_t>(*rank));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return reversed;
}

bool keeps_order(const std::vector<std::int64_t>& perm) {
  return std::is_sorted(perm.begin(), perm.end());
}

/// Transpose of a Transpose becomes one Transpose of the first one's input.
bool merge_transposes(Graph& graph, const Node& second) {
  const Node* first = graph.producer(second.input(0));
  if (first == nullptr || !first->is("Transpose")) return false;
  const auto inner = permutation(graph, *first);
  const auto outer = permutation(graph, second);
  if (!inner || !outer || inner->size() != outer->size()) return false;
  std::vector<std::int64_t> merged;
  for (const std::int64_t axis : *outer) {
    merged.push_back(inner->at(static_cast<std::size_t>(axis)));
  }
  graph.set_input(second, 0, std::string(first->input(0)));
  graph.set_attribute(second, "perm", merged);
  return true;
}

bool is_inference_dropout(const Graph& graph, const Node& node) {
  if (node.input(2).empty()) return true;
  const Tensor* training = graph.find_initializer(node.input(2));
  return training != nullptr && training->dtype() == DType::kBool && training->size() == 1 &&
         !training->data<bool>().front();
}

bool are_all(const IntsParameter& parameter, std::int64_t wanted) {
  if (!parameter.known) return false;
  const auto& values = parameter.values;
  return !values || std::all_of(values->begin(), values->end(),
                                [&](std::int64_t value) { return value == wanted; });
}

/// Slice along fixed dimensions, each of which it keeps in full. A free dimension may be cut off at
/// a length that no measured shape has reached.
bool is_whole_slice(const Graph& graph, const Node& node) {
  if (!are_all(ints_parameter(graph, node, "steps", 4), 1)) return false;
  if (!same_shape(graph, node.input(0), node.output())) return false;
  const auto type = known_type(graph, node.input(0));
  const IntsParameter axes = ints_parameter(graph, node, "axes", 3);
  if (!axes.known) return false;
  const auto rank = static_cast<std::int64_t>(type->shape->size());
  std::vector<std::int64_t> cut = axes.values.value_or(std::vector<std::int64_t>{});
  if (!axes.values) {
    cut.resize(type->shape->size());
    std::iota(cut.begin(), cut.end(), 0);
  }
  return std::all_of(cut.begin(), cut.end(), [&](std::int64_t axis) {
    if (axis < 0) axis += rank;
    return axis >= 0 && axis < rank && (*type->shape)[static_cast<std::size_t>(axis)].is_fixed();
  });
}

bool pads_nothing(const Graph& graph, const Node& node) {
  const IntsParameter pads = ints_parameter(graph, node, "pads", 1);
  return pads.values && are_all(pads, 0);
}

/// Value that the node's first output always equals; "" when it computes something.
std::string passed_value(const Graph& graph, const Node& node) {
  const std::string& input = node.input(0);
  const auto& op = node.op_type();
  if (!node.domain().empty() || input.empty()) return "";
  bool passes = op == "Identity";
  if (op == "Dropout") passes = is_inference_dropout(graph, node);
  if (op == "Cast")
    passes = static_cast<int>(known_dtype(graph, input)) == node.int_attribute("to", 0);
  if (op == "Transpose") {
    const auto perm = permutation(graph, node);
    passes = perm && keeps_order(*perm);
  }
  if (is_reshape_like(node)) return reshape_source(graph, node);
  if (op == "Slice") passes = is_whole_slice(graph, node);
  if (op == "Expand") passes = same_shape(graph, input, node.output());
  if (op == "Pad") passes = pads_nothing(graph, node);
  if (op == "Concat" || op == "Sum" || op == "Mean" || op == "Min" || op == "Max") {
    passes = node.inputs().size() == 1;
  }
  return passes ? input : "";
}

/// Value of a Constant node; nullopt for text and what else Tensor does not hold.
std::optional<Tensor> constant_value(const Node& node) {
  if (node.attributes().size() != 1) return std::nullopt;
  const auto& [name, attribute] = *node.attributes().begin();
  if (name == "value") {
    const Tensor* tensor = std::get_if<Tensor>(&attribute);
    if (tensor != nullptr) return *tensor;
  }
  if (name == "value_float") return Tensor::scalar(node.float_attribute(name, 0.0F));
  if (name == "value_int") return Tensor::scalar(node.int_attribute(name, 0));
  const auto to_list = [](const auto& values) {
    return Tensor::from({static_cast<std::int64_t>(values.size())}, values);
  };
  if (const auto* list = std::get_if<std::vector<float>>(&attribute)) return to_list(*list);
  if (name == "value_ints") return to_list(node.ints_attribute(name, {}));
  return std::nullopt;
}

bool fold_constant_node(Graph& graph, const Node& node) {
  if (graph.is_output(node.output())) return false;
  std::optional<Tensor> tensor = constant_value(node);
  if (!tensor) return false;
  replace_by_constant(graph, node, *std::move(tensor));
  return true;
}

}  // namespace

PassReport fold_identity(Graph& graph) {
  PassReport report{"fold_identity", {}, {}};
  graph.sort();
  for (const Node* node : graph.node_list()) {
    const std::string name = node->name();
    bool changed = false;
    if (node->is("Constant")) {
      changed = fold_constant_node(graph, *node);
    } else {
      if (node->is("Transpose")) changed = merge_transposes(graph, *node);
      const std::string source = passed_value(graph, *node);
      if (!source.empty()) changed = bypass_node(graph, *node, source) || changed;
    }
    if (changed) report.applied_to.push_back(name);
  }
  return report;
}

}  // namespace hexquant::passes
