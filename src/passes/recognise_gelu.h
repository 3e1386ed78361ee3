#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Replaces decomposed Gaussian error linear units by Gelu(approximate = none | tanh).
///
/// none: y = x * 0.5 * (1 + erf(x / sqrt(2)))
/// tanh: y = x * 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
/// ~~~
///   x --+-> Div(sqrt 2) -> Erf -> Add(1) -> Mul -> Mul(0.5)        any order, see polynomial.h
///       +-----------------------------------^
/// ~~~
/// The argument of Erf or Tanh must be the right polynomial of some value x, and what follows must
/// become 0.5 x + 0.5 x t (t = Erf or Tanh) through nodes with one reader each.
///
/// Opset 20 brought Gelu; below it the erf form becomes com.microsoft Gelu and the tanh form is
/// only reported (the QNN provider knows no FastGelu). Why: the HTP has no Erf at all, so the bare
/// form falls back to the CPU in the middle of every transformer layer.
[[nodiscard]] PassReport recognise_gelu(graph::Graph& graph);

}  // namespace hexquant::passes
