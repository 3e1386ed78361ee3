#pragma once

#include <string>
#include <unordered_set>

#include "graph/graph.h"

namespace hexquant::passes {

/// Values whose shape may depend on the numbers that are fed, not only on the shapes of the inputs:
/// results of NonZero, Unique, Compress, NonMaxSuppression, of nodes with subgraphs and of unknown
/// domains, of Reshape, Expand, Range, ... whose shape operand is computed from data, and
/// everything made from them. Running such a value once says nothing about its shape the next time.
/// @pre nodes are sorted
[[nodiscard]] std::unordered_set<std::string> data_dependent_shapes(const graph::Graph& graph);

}  // namespace hexquant::passes
