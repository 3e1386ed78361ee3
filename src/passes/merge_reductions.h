#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// ReduceMean behind ReduceMean, ReduceSum behind ReduceSum, ReduceMax and ReduceMin likewise
/// become one reduction over the axes of both, where both keep their dimensions or both drop them,
/// all axes are constant and nothing else reads the inner result. Means stay means because every
/// inner one is over the same number of elements. Sums are rounded in another order.
///
/// Why: exporters write global pooling as mean(3).mean(2); on the HTP the first of the two costs as
/// much as a convolution, and its rounded result is quantized on a grid of its own.
[[nodiscard]] PassReport merge_reductions(graph::Graph& graph);

}  // namespace hexquant::passes
