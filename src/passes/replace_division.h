#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// x / c becomes x * (1 / c) for a float32 constant c: a scalar or a tensor without zeros, whose
/// reciprocals are normal numbers (each rounded once from double). The result moves by one float
/// rounding. A constant with other readers is kept for them.
///
/// Why: the HTP divides element by element, several times slower than it multiplies (Qualcomm's
/// guidelines give 5.3 M against 0.74 M cycles for one such operation).
[[nodiscard]] PassReport replace_division(graph::Graph& graph);

}  // namespace hexquant::passes
