#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Removes nodes and initializers that reach no graph output, neither directly nor through a
/// subgraph that reads them. Graph inputs stay: they are the model's interface.
[[nodiscard]] PassReport remove_dead_code(graph::Graph& graph);

}  // namespace hexquant::passes
