#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"

namespace hexquant::graph {

/// An order in which a graph's nodes can run, and the values that are alive between two of them.
/// Cut c lies before the node at position c. The graph must outlive it and not change.
class NodeOrder {
 public:
  /// The graph's own order. @pre it is sorted
  explicit NodeOrder(const Graph& graph);
  /// @param order  nodes of the graph, each after those it reads from; may leave out nodes
  NodeOrder(const Graph& graph, std::vector<const Node*> order);

  [[nodiscard]] const std::vector<const Node*>& nodes() const noexcept { return nodes_; }
  /// Position of a node; the number of nodes for one that was left out.
  [[nodiscard]] std::size_t position(const Node& node) const;
  /// True if the value exists at the cut: a graph input or an earlier node's output.
  [[nodiscard]] bool known_before(const std::string& value, std::size_t cut) const;
  /// Values known at the cut that a node at or after it reads, inputs first, then in order.
  [[nodiscard]] std::vector<std::string> frontier(std::size_t cut) const;

 private:
  const Graph& graph_;
  std::vector<const Node*> nodes_;
  std::unordered_map<const Node*, std::size_t> positions_;
};

}  // namespace hexquant::graph
