#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Removes shape arithmetic whose result does not depend on what is fed.
///
/// - Values computed from known dimensions become constants (Shape, Size and what follows from
///   them, one element at a time: see evaluate_shapes); then constants are folded again.
/// - A target of Reshape with one element that is only known at run time gets -1 there; one that
///   repeats the input's own free dimension gets 0. Exact, because the sizes must match.
/// - In a target of Expand, an element equal to the input's own free dimension becomes 1.
///
/// So a free batch does not keep shape arithmetic alive, and what really depends on it stays.
/// Uses known types: run infer_shapes before. Repeated until nothing changes.
[[nodiscard]] PassReport propagate_shapes(graph::Graph& graph);

}  // namespace hexquant::passes
