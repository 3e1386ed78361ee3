#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// A folded constant may take at most this much, unless it is no larger than what it is made from.
inline constexpr std::size_t kLargestFoldBytes = 64U << 20U;

/// Evaluates, in one ONNX Runtime session, the ai.onnx nodes that depend on constants only, and
/// stores what other nodes read of their results as initializers under the same names.
///
/// Left alone: random numbers, nodes with subgraphs, nodes that give graph outputs, sequences and
/// strings, results above kLargestFoldBytes that are larger than their sources, and
/// DequantizeLinear (weights that are quantized already stay so).
[[nodiscard]] PassReport fold_constants(graph::Graph& graph);

}  // namespace hexquant::passes
