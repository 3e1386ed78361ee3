#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Writes operations that the HTP lacks, or has in float only, in terms of those it computes in
/// integers. The function stays, but for float rounding:
///
///   Celu(a)              a * Elu(x / a)
///   Selu(a, g)           g * Elu(x; a)
///   Mish                 x * tanh(softplus(x))
///   Softsign             x / (1 + |x|)
///   Sinh, Cosh           (exp(x) -+ exp(-x)) / 2
///   ThresholdedRelu(a)   x > a ? x : 0
///   Shrink(l, b)         x > l ? x - b : (x < -l ? x + b : 0);  relu(x - l) - relu(-x - l) for b =
///   l Hardmax(axis)        ArgMax(axis) == 0, 1, 2 ... (the first of equal maxima, as ONNX says)
///   Sum, Mean            chains of Add, and a factor
///
/// Hardmax needs opset 13 and a fixed size of its axis. Erf stays: no exact form of it is made of
/// operations that the HTP has (within GELU it is recognised); a finding says so.
///
/// Why: one operation on the CPU cuts the model into parts with a transfer on either side.
[[nodiscard]] PassReport replace_cpu_ops(graph::Graph& graph);

}  // namespace hexquant::passes
