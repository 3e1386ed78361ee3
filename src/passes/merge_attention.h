#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Takes the factors out of attention, so that it has the form that the HTP runs as one:
/// ~~~
///   softmax(s * (a q) (b k)^T + mask) v   ->   softmax(q' k^T + mask) v
/// ~~~
/// An attention core is a Softmax over the last axis of [Add(mask)] of a MatMul of two computed
/// operands, and a MatMul that reads it. Factors (Mul or Div by scalar constants behind the scores
/// or on the way to q and k, Transposes and Reshapes in between) go into weight and bias of the
/// layer that computes q or k: product and projection are linear. Where no layer can take it (a
/// joint projection that is split afterwards, a rotary embedding), factors of one core become one
/// Mul, on whichever of scores and q has fewer elements.
///
/// Why: the factor behind the scores is an operation on a matrix of sequence length squared, with
/// an encoding of its own, between the two operations that the HTP would otherwise run together.
[[nodiscard]] PassReport merge_attention(graph::Graph& graph);

}  // namespace hexquant::passes
