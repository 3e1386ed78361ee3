#include "passes/upgrade_opset.h"

#include <optional>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"
#include "passes/opset_adapters.h"
#include "runtime/session.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

/// Why the graph cannot be upgraded, and where.
struct Obstacle {
  std::string where;
  std::string reason;
};

Finding not_raised(const Graph& graph, const Obstacle& obstacle) {
  return {"opset-not-raised", Severity::kInfo, obstacle.where,
          format("the model stays at operator set {}, because {}", graph.opset(), obstacle.reason),
          "nothing to do: com.microsoft operators are used where 4- or 16-bit quantization needs "
          "operator set 21"};
}

/// Adapts one node through all changes after `from`. @return the first obstacle's reason
std::string adapt(Graph& graph, const Node& node, std::int64_t from, PassReport& report) {
  if (!node.domain().empty()) return "";
  if (!is_known_operator(node.op_type())) {
    return format("operator {} is not known", node.op_type());
  }
  const std::string name = node.name();
  const std::string output = node.output();
  bool changed = false;
  for (const OperatorChange& change : operator_changes()) {
    // An adapter may put another node in the place of this one.
    const Node* current = graph.producer(output);
    if (current == nullptr) return "its first output has no name";
    if (change.version <= from || current->op_type() != change.op_type) continue;
    const std::string failure = change.adapt(graph, *current);
    if (!failure.empty()) return format("{} cannot be rewritten: {}", change.op_type, failure);
    changed = true;
  }
  if (changed) report.applied_to.push_back(name);
  return "";
}

std::optional<Obstacle> upgrade(Graph& graph, PassReport& report) {
  if (!graph.info.serialized_functions.empty()) {
    return Obstacle{graph.info.graph_name, "it has functions of its own"};
  }
  const std::int64_t from = graph.opset();
  for (const Node* node : graph.node_list()) {
    if (node->has_subgraph() && !node->is("Constant")) {
      return Obstacle{node->name(), format("{} holds a subgraph", node->op_type())};
    }
    const std::string name = node->name();
    const std::string failure = adapt(graph, *node, from, report);
    if (!failure.empty()) return Obstacle{name, failure};
  }
  graph.opsets[""] = kInternalOpset;
  return std::nullopt;
}

/// An operator may have lost, or not yet got, a kernel for its element type.
std::optional<Obstacle> find_missing_kernel(const Graph& upgraded) {
  runtime::SessionOptions options;
  options.optimize = false;
  try {
    const runtime::Session session(upgraded, options);
  } catch (const Error& error) {
    return Obstacle{upgraded.info.graph_name,
                    format("it does not load otherwise: {}", error.what())};
  }
  return std::nullopt;
}

}  // namespace

PassReport upgrade_opset(Graph& graph) {
  PassReport report{"upgrade_opset", {}, {}};
  if (graph.opset() >= kInternalOpset) return report;
  // Tensors are shared, so the copy is cheap; it makes a failed attempt leave nothing behind.
  Graph upgraded = graph;
  auto obstacle = upgrade(upgraded, report);
  if (!obstacle) obstacle = find_missing_kernel(upgraded);
  if (obstacle) {
    report.applied_to.clear();
    report.findings.push_back(not_raised(graph, *obstacle));
    return report;
  }
  graph = std::move(upgraded);
  return report;
}

}  // namespace hexquant::passes
