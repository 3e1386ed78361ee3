#include "passes/remove_dead_code.h"

#include <algorithm>

#include "passes/graph_rewire.h"

namespace hexquant::passes {

using graph::Graph;
using graph::Node;

PassReport remove_dead_code(Graph& graph) {
  PassReport report{"remove_dead_code", {}, {}};
  graph.sort();
  std::vector<const Node*> nodes = graph.node_list();
  // Backwards, so that a node's dead readers are gone when its turn comes.
  std::reverse(nodes.begin(), nodes.end());
  for (const Node* node : nodes) {
    const auto& outputs = node->outputs();
    const bool needed = std::any_of(outputs.begin(), outputs.end(),
                                    [&](const auto& name) { return is_needed(graph, name); });
    if (needed) continue;
    report.applied_to.push_back(node->name());
    for (const std::string& output : outputs) graph.erase_type(output);
    graph.erase_node(*node);
  }
  std::reverse(report.applied_to.begin(), report.applied_to.end());
  std::vector<std::string> unread;
  for (const auto& [name, tensor] : graph.initializers()) {
    if (!is_needed(graph, name)) unread.push_back(name);
  }
  for (const std::string& name : unread) {
    graph.erase_initializer(name);
    report.applied_to.push_back(name);
  }
  return report;
}

}  // namespace hexquant::passes
