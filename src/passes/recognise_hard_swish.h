#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Replaces decomposed hard activations by HardSigmoid(alpha, beta) and HardSwish.
///
/// HardSigmoid: y = clamp(alpha x + beta, 0, 1), where (alpha, beta) is (1/6, 1/2) or (1/5, 1/2),
/// the pairs that frameworks define; usually written clamp(x + 3, 0, 6) / 6.
/// HardSwish: y = x * HardSigmoid(x) with alpha 1/6.
/// ~~~
///   x --+-> Add(3) -> clamp(0, 6) -> Mul -> Div(6)                 any order, see polynomial.h
///       +----------------------------^
/// ~~~
/// The clamp is Clip (bounds as inputs or attributes), Min(Max(.)), Max(Min(.)), Min(Relu(.)),
/// Relu(Min(.)) or a HardSigmoid node. Inner values must not be read elsewhere. HardSwish came with
/// opset 14; below it only HardSigmoid is formed and the rest reported.
///
/// Why: the HTP fuses Conv + HardSwish, while the parts cost one elementwise operation each and
/// quantize x + 3 on a grid of its own.
[[nodiscard]] PassReport recognise_hard_swish(graph::Graph& graph);

}  // namespace hexquant::passes
