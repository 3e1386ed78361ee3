#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// MatMul with a constant matrix and a constant bias becomes Gemm where that is exact.
/// ~~~
///   x[M,K] -> MatMul(W[K,N]) -> Add(b)      =      x -> Gemm(W, b)
/// ~~~
/// Only for x of rank 2 (Gemm has no other), float32 initializers, b a scalar, [N] or [1,N], and a
/// product that nobody else reads. The bias then becomes part of the fully connected layer (int32
/// on the HTP) instead of an addition with a grid of its own. For rank 3 and more the Add stays.
[[nodiscard]] PassReport fold_matmul_add(graph::Graph& graph);

}  // namespace hexquant::passes
