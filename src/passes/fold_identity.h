#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Removes nodes that return what they are given, and turns Constant nodes into initializers.
///
/// No-ops: Identity; Dropout (inference); Cast to the type it has; Transpose that moves nothing,
/// after pairs of Transposes were merged into one; chains of Reshape, Flatten, Squeeze and
/// Unsqueeze that end in the shape they began with; Slice and Expand that keep the shape; Pad by
/// zero; Concat, Sum, Mean, Min and Max of one tensor. What needs types acts once they are known.
///
/// Names of graph outputs and of values that subgraphs read are kept. An Identity between a graph
/// input or constant and a graph output stays: something must compute an output.
///
/// Why: a bias behind an Identity makes the HTP run the whole layer in float, 200 times slower.
[[nodiscard]] PassReport fold_identity(graph::Graph& graph);

}  // namespace hexquant::passes
