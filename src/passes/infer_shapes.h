#pragma once

#include "graph/graph.h"
#include "passes/pass.h"
#include "runtime/session.h"

namespace hexquant::passes {

/// Sets element type and shape of every value that a node computes.
///
/// ONNX Runtime's own inference answers first. The shapes that it leaves open are measured: the
/// model runs once on `example`, once with the batch (a free first dimension of an input) doubled,
/// and with all other free dimensions doubled and halved (where that works), the example being
/// repeated along them. Dimensions that never change are fixed; those that follow an input's
/// dimension carry its symbol; others stay free. Only Shape(value) is fetched, so memory is that of
/// an ordinary inference. Shapes that depend on data (see data_dependent_shapes) are not measured.
///
/// @param example  may lack inputs: zeros of the declared shape, batch 1, other free dimensions the
///                 first of 1, 32, 64, 224, 320 with which the model runs
/// Findings: "shapes-unknown" for a model that does not run or a node without inferable shape;
///           "free-dimension-untested" where neither doubling nor halving works.
/// @throws Error(kInvalidModel) when ONNX Runtime cannot load the model (unknown operator ...);
///         Error(kInvalidData) when the example does not fit the inputs
[[nodiscard]] PassReport infer_shapes(graph::Graph& graph, const runtime::Feeds& example);

/// The same for values without a known type only, after a pass made new ones; known types are
/// trusted, so that the model seldom runs again.
[[nodiscard]] PassReport complete_shapes(graph::Graph& graph, const runtime::Feeds& example);

}  // namespace hexquant::passes
