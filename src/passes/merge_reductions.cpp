#include "passes/merge_reductions.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;
using Axes = std::vector<std::int64_t>;

constexpr std::int64_t kAxesInputOpset = 18;

bool is_mergeable(const Node& node) {
  static const std::set<std::string> kTypes = {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"};
  return node.domain().empty() && kTypes.contains(node.op_type());
}

/// Constant, non-negative, sorted axes of a reduction over some of the dimensions.
std::optional<Axes> axes_of(const Graph& graph, const Node& node) {
  const IntsParameter stored = ints_parameter(graph, node, "axes", 1);
  const auto rank = known_rank(graph, node.input(0));
  if (!stored.values || stored.values->empty() || !rank) return std::nullopt;
  Axes axes;
  for (const std::int64_t axis : *stored.values) axes.push_back(axis < 0 ? axis + *rank : axis);
  std::sort(axes.begin(), axes.end());
  return axes;
}

/// Axes of the outer reduction in the dimensions of the inner one's input.
Axes in_source_axes(const Axes& outer, const Axes& inner, bool keeps_dims) {
  if (keeps_dims) return outer;
  Axes axes;
  for (std::int64_t axis : outer) {
    for (const std::int64_t gone : inner) {
      if (gone <= axis) ++axis;
    }
    axes.push_back(axis);
  }
  return axes;
}

void set_axes(Graph& graph, const Node& node, const Axes& axes) {
  const bool as_input =
      node.is("ReduceSum") ? graph.opset() >= 13 : graph.opset() >= kAxesInputOpset;
  if (!as_input) {
    graph.set_attribute(node, "axes", axes);
    return;
  }
  const std::string name = graph.unique_name(node.name() + "_axes");
  graph.add_initializer(name,
                        Tensor::from<std::int64_t>({static_cast<std::int64_t>(axes.size())}, axes));
  graph.set_input(node, 1, name);
}

/// The axes of both reductions, if `outer` and the node before it are one.
std::optional<Axes> merged_axes(const Graph& graph, const Node& outer) {
  const Node* inner = graph.producer(outer.input(0));
  if (inner == nullptr || !is_mergeable(outer) || inner->op_type() != outer.op_type()) {
    return std::nullopt;
  }
  if (!is_mergeable(*inner) || graph.single_consumer(inner->output()) != &outer) {
    return std::nullopt;
  }
  const bool keeps_dims = inner->int_attribute("keepdims", 1) != 0;
  if (keeps_dims != (outer.int_attribute("keepdims", 1) != 0)) return std::nullopt;
  const auto first = axes_of(graph, *inner);
  const auto second = axes_of(graph, outer);
  if (!first || !second) return std::nullopt;
  std::set<std::int64_t> all(first->begin(), first->end());
  const Axes more = in_source_axes(*second, *first, keeps_dims);
  all.insert(more.begin(), more.end());
  return Axes(all.begin(), all.end());
}

}  // namespace

PassReport merge_reductions(Graph& graph) {
  PassReport report{"merge_reductions", {}, {}};
  graph.sort();
  for (const Node* outer : graph.node_list()) {
    const auto axes = merged_axes(graph, *outer);
    if (!axes) continue;
    const Node& inner = *graph.producer(outer->input(0));
    graph.set_input(*outer, 0, inner.input(0));
    set_axes(graph, *outer, *axes);
    graph.erase_type(inner.output());
    graph.erase_node(inner);
    report.applied_to.push_back(outer->name());
  }
  return report;
}

}  // namespace hexquant::passes
