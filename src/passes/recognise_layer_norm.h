#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Replaces decomposed layer normalizations by LayerNormalization(axis = -n, epsilon).
///
/// y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) [* scale] [+ shift], the means over
/// the last n dimensions:
/// ~~~
///   x --+-> ReduceMean -> Sub = d --+-> Pow(2) -> ReduceMean -> Add(eps) -> Sqrt -> Div [-> Mul
///       +-------------------^       +---------------------------------------------^     -> Add]
/// ~~~
/// Variants: d*d for Pow; a second Sub for the numerator; Reciprocal, 1/sqrt or Pow(-0.5) and Mul
/// for Div; Pow(0.5) for Sqrt; scale or shift absent (ones, no bias) or broadcast; Casts that keep
/// the type; and TensorFlow's form x*r + (shift - mean*r), r = scale / sqrt(..):
/// ~~~
///   r --+-> Mul(x) --------------------------> Add
///       +-> Mul(mean) -> Sub(shift, .) ----------^
/// ~~~
/// It acts where the last n sizes and the rank of x are known, x is float32 and no inner value is
/// read elsewhere. Below opset 17, which brought the operation, it only reports.
///
/// Why: on 8 bits the squared differences inside a decomposed form lose the small rows; as one node
/// the HTP computes the inside with its own precision.
[[nodiscard]] PassReport recognise_layer_norm(graph::Graph& graph);

}  // namespace hexquant::passes
