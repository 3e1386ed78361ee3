#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Raises the ai.onnx operator set to kInternalOpset (21), rewriting every node whose meaning or
/// signature changed on the way, so that the function stays the same (see operator_changes).
///
/// All or nothing. Graphs above 21 stay as they are. A graph with subgraphs, model functions or a
/// node that has no exact successor, or that ONNX Runtime cannot run in its new form, keeps its
/// operator set, with the finding "opset-not-raised": 4- and 16-bit quantization then uses
/// com.microsoft operators. Uses known types: run infer_shapes before.
[[nodiscard]] PassReport upgrade_opset(graph::Graph& graph);

}  // namespace hexquant::passes
