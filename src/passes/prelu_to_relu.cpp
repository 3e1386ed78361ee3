#include "passes/prelu_to_relu.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"

namespace hexquant::passes {
namespace {

/// Largest |slope| of a node; NaN when it is computed.
double largest_slope(const graph::Graph& graph, const graph::Node& node) {
  if (node.is("LeakyRelu"))
    return std::abs(static_cast<double>(node.float_attribute("alpha", 0.01F)));
  const Tensor* slope = graph.find_initializer(node.input(1));
  if (slope == nullptr) return NAN;
  double largest = 0.0;
  for (const double value : to_doubles(*slope)) largest = std::max(largest, std::abs(value));
  return largest;
}

}  // namespace

PassReport prelu_to_relu(graph::Graph& graph) {
  PassReport report{"prelu_to_relu", {}, {}};
  for (const graph::Node* node : graph.node_list()) {
    if (!node->is("PRelu") && !node->is("LeakyRelu")) continue;
    report.findings.push_back({"function-changed", Severity::kWarning, node->name(),
                               format("{} with slopes up to {:.4g} became Relu, as asked",
                                      node->op_type(), largest_slope(graph, *node)),
                               "train the model further, and evaluate it"});
    graph.erase_attribute(*node, "alpha");
    graph.truncate_inputs(*node, 1);
    graph.set_op_type(*node, "Relu");
    report.applied_to.push_back(node->name());
  }
  return report;
}

}  // namespace hexquant::passes
