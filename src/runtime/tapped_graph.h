#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::runtime {

/// A graph reduced to the nodes that some values need, and the names under which it offers them.
struct TappedGraph {
  graph::Graph graph;
  /// Graph output that carries each wanted value. Inputs and initializers pass through an Identity,
  /// because a graph output must be computed by a node.
  std::vector<std::string> outputs;
};

/// @throws Error(kInvalidArgument) naming a wanted value that the graph does not have
[[nodiscard]] TappedGraph tap_graph(graph::Graph graph, const std::vector<std::string>& wanted);

}  // namespace hexquant::runtime
