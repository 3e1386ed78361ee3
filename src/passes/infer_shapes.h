#pragma once

#include "graph/graph.h"
#include "passes/pass.h"
#include "runtime/session.h"

namespace hexquant::passes {

/// Forgets the types of all values that nodes compute, then sets those of which ONNX Runtime's own
/// inference is certain: every dimension fixed, or a free dimension of an input.
/// @throws Error(kInvalidModel) naming the first node with which the model does not load (unknown
///         operator ...)
[[nodiscard]] PassReport declare_shapes(graph::Graph& graph);

/// Sets element type and shape of every value that a node computes and whose type is not known.
///
/// ONNX Runtime's inference answers first, trusting the known types. The shapes that it leaves open
/// are measured: the model runs once on `example`, once with the batch (a free first dimension of
/// an input) doubled, and with all other free dimensions doubled and halved (where that works), the
/// example being repeated along them. Dimensions that never change are fixed; those that follow an
/// input's dimension carry its symbol; others stay free. Only Shape(value) is fetched, so memory is
/// that of an ordinary inference. Shapes that depend on data (see data_dependent_shapes) are not
/// measured.
///
/// @param example  may lack inputs: zeros of the declared shape, batch 1, other free dimensions the
///                 first of 1, 32, 64, 224, 320 with which the model runs
/// Findings: "shapes-unknown" for a model that does not run or a node without inferable shape;
///           "free-dimension-untested" where neither doubling nor halving works.
/// @throws Error(kInvalidModel) as declare_shapes; Error(kInvalidData) when the example does not
///         fit the inputs
[[nodiscard]] PassReport complete_shapes(graph::Graph& graph, const runtime::Feeds& example);

/// declare_shapes and complete_shapes in one.
[[nodiscard]] PassReport infer_shapes(graph::Graph& graph, const runtime::Feeds& example);

}  // namespace hexquant::passes
