#pragma once

#include <vector>

#include "graph/graph.h"
#include "graph/node_order.h"

namespace hexquant::mixed_precision {

/// Share of the whole model's work that lies behind each cut, from 1 down to 0: roughly, by
/// multiply-accumulates of layers and elements of everything else. For progress bars.
[[nodiscard]] std::vector<double> work_behind(const graph::Graph& graph,
                                              const graph::NodeOrder& order);

}  // namespace hexquant::mixed_precision
