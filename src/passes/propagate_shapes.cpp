#include "passes/propagate_shapes.h"

#include <algorithm>

#include "passes/fold_constants.h"
#include "passes/graph_rewire.h"
#include "passes/remove_dead_code.h"
#include "passes/shape_values.h"

namespace hexquant::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::Node;
using Values = std::map<std::string, ShapeTensor>;

/// Known values become constants.
bool replace_known(Graph& graph, const Values& values, PassReport& report) {
  bool changed = false;
  for (const Node* node : graph.node_list()) {
    const auto found = values.find(node->output());
    if (found == values.end() || !found->second.is_known()) continue;
    if (graph.is_output(node->output())) continue;
    report.applied_to.push_back(node->name());
    replace_by_constant(graph, *node, found->second.to_tensor());
    changed = true;
  }
  return changed;
}

void set_target(Graph& graph, const Node& node, const std::vector<std::int64_t>& target) {
  const std::string name = graph.unique_name(node.input(1) + "_fixed");
  const Shape shape = {static_cast<std::int64_t>(target.size())};
  graph.add_initializer(name, Tensor::from(shape, target));
  graph.set_input(node, 1, name);
}

/// True if the element is the free dimension `axis` of the value.
bool repeats_dimension(const ShapeElement& element, const std::vector<Dim>& dims,
                       std::size_t axis) {
  return axis < dims.size() && !element.symbol.empty() && dims[axis].symbol == element.symbol;
}

/// A constant target for a Reshape whose target is known in part.
std::optional<std::vector<std::int64_t>> reshape_target(const Graph& graph, const Node& node,
                                                        const ShapeTensor& elements) {
  const auto type = known_type(graph, node.input(0));
  const std::vector<Dim> dims = type && type->shape ? *type->shape : std::vector<Dim>{};
  const bool zero_copies = node.int_attribute("allowzero", 0) == 0;
  std::vector<std::int64_t> target;
  int open = 0;
  for (std::size_t i = 0; i < elements.elements.size(); ++i) {
    const ShapeElement& element = elements.elements[i];
    if (element.value) {
      // A 0 that is meant as a size would leave the open element undefined.
      if (*element.value == 0 && !zero_copies) return std::nullopt;
      if (*element.value < 0) ++open;
      target.push_back(*element.value);
    } else if (zero_copies && repeats_dimension(element, dims, i)) {
      target.push_back(0);
    } else {
      ++open;
      target.push_back(-1);
    }
  }
  if (open > 1) return std::nullopt;
  return target;
}

/// A constant target for an Expand: 1 keeps the input's dimension.
std::optional<std::vector<std::int64_t>> expand_target(const Graph& graph, const Node& node,
                                                       const ShapeTensor& elements) {
  const auto type = known_type(graph, node.input(0));
  if (!type || !type->shape || type->shape->size() > elements.elements.size()) return std::nullopt;
  const std::size_t added = elements.elements.size() - type->shape->size();
  std::vector<std::int64_t> target;
  for (std::size_t i = 0; i < elements.elements.size(); ++i) {
    const ShapeElement& element = elements.elements[i];
    if (element.value) {
      target.push_back(*element.value);
    } else if (i >= added && repeats_dimension(element, *type->shape, i - added)) {
      target.push_back(1);
    } else {
      return std::nullopt;
    }
  }
  return target;
}

/// Targets of Reshape and Expand that can be written without run-time numbers.
bool fix_targets(Graph& graph, const Values& values, PassReport& report) {
  bool changed = false;
  for (const Node* node : graph.node_list()) {
    if (!node->is("Reshape") && !node->is("Expand")) continue;
    const auto found = values.find(node->input(1));
    if (found == values.end() || found->second.shape.size() != 1) continue;
    const auto target = node->is("Reshape") ? reshape_target(graph, *node, found->second)
                                            : expand_target(graph, *node, found->second);
    if (!target) continue;
    report.applied_to.push_back(node->name());
    set_target(graph, *node, *target);
    changed = true;
  }
  return changed;
}

}  // namespace

PassReport propagate_shapes(Graph& graph) {
  PassReport report{"propagate_shapes", {}, {}};
  // Every round removes nodes or run-time targets, so it ends.
  for (bool changed = true; changed;) {
    graph.sort();
    const Values values = evaluate_shapes(graph);
    changed = fix_targets(graph, values, report);
    changed = replace_known(graph, values, report) || changed;
    if (!changed) break;
    const PassReport folded = fold_constants(graph);
    report.applied_to.insert(report.applied_to.end(), folded.applied_to.begin(),
                             folded.applied_to.end());
    (void)remove_dead_code(graph);
  }
  return report;
}

}  // namespace hexquant::passes
