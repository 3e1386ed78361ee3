#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Removes x * 1, x / 1, x + 0, 0 + x, 1 * x and x - 0 with a one-element constant that adds no
/// dimension to the result. Names of graph outputs and of values that subgraphs read are kept.
///
/// Why: exporters write Swish as x * sigmoid(1.0 * x); on the HTP each such Mul is one operation
/// and one more rounding of the activation.
[[nodiscard]] PassReport fold_neutral_arithmetic(graph::Graph& graph);

}  // namespace hexquant::passes
