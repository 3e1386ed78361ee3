#include "runtime/tapped_graph.h"

#include <unordered_set>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::runtime {
namespace {

using graph::Graph;
using graph::Node;

/// Nodes on a path to one of the values; subgraph reads count.
std::unordered_set<const Node*> needed_nodes(const Graph& graph,
                                             const std::vector<std::string>& values) {
  std::unordered_set<const Node*> needed;
  std::vector<const Node*> pending;
  const auto need = [&](const std::string& value) {
    const Node* node = graph.producer(value);
    if (node != nullptr && needed.insert(node).second) pending.push_back(node);
  };
  for (const std::string& value : values) need(value);
  while (!pending.empty()) {
    const Node* node = pending.back();
    pending.pop_back();
    for (const std::string& input : node->inputs()) need(input);
    for (const auto& [name, attribute] : node->attributes()) {
      const auto* opaque = std::get_if<graph::OpaqueAttribute>(&attribute);
      if (opaque == nullptr) continue;
      for (const std::string& captured : opaque->captured) need(captured);
    }
  }
  return needed;
}

void erase_unread_initializers(Graph& graph) {
  std::vector<std::string> unread;
  for (const auto& [name, tensor] : graph.initializers()) {
    if (graph.uses(name).empty()) unread.push_back(name);
  }
  for (const std::string& name : unread) graph.erase_initializer(name);
}

}  // namespace

TappedGraph tap_graph(Graph graph, const std::vector<std::string>& wanted) {
  TappedGraph tapped{std::move(graph), {}};
  Graph& copy = tapped.graph;
  for (const std::string& value : wanted) {
    if (!copy.has_value(value)) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("the graph has no value '{}' to return", value));
    }
    if (copy.producer(value) != nullptr) {
      tapped.outputs.push_back(value);
      continue;
    }
    const std::string output = copy.unique_name(value + "_tap");
    copy.add_node({"Identity", {value}, {output}});
    tapped.outputs.push_back(output);
  }
  const auto needed = needed_nodes(copy, tapped.outputs);
  for (const Node* node : copy.node_list()) {
    if (!needed.contains(node)) copy.erase_node(*node);
  }
  erase_unread_initializers(copy);
  return tapped;
}

}  // namespace hexquant::runtime
