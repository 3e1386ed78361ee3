#include "passes/fold_neutral_arithmetic.h"

#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

/// Operand that the node returns unchanged; "" when it computes something.
std::string unchanged_operand(const graph::Graph& graph, const graph::Node& node) {
  const bool product = node.is("Mul") || node.is("Div");
  if (!product && !node.is("Add") && !node.is("Sub")) return "";
  const auto operands = split_scalar(graph, node);
  if (!operands || operands->constant != (product ? 1.0 : 0.0)) return "";
  // 1 / x and 0 - x are no no-ops.
  const bool commutes = node.is("Mul") || node.is("Add");
  return commutes || operands->index == 1 ? operands->tensor : "";
}

}  // namespace

PassReport fold_neutral_arithmetic(graph::Graph& graph) {
  PassReport report{.pass = "fold_neutral_arithmetic", .applied_to = {}, .findings = {}};
  for (const graph::Node* node : graph.node_list()) {
    const std::string source = unchanged_operand(graph, *node);
    const std::string name = node->name();
    if (!source.empty() && bypass_node(graph, *node, source)) report.applied_to.push_back(name);
  }
  return report;
}

}  // namespace hexquant::passes
