#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Replaces decomposed root-mean-square normalizations by one node.
///
/// y = x / sqrt(mean(x^2) + epsilon) [* scale], the mean over the last n dimensions:
/// ~~~
///   x --+-> Pow(2) -> ReduceMean -> Add(eps) -> Sqrt -> Div [-> Mul(scale)]
///       +-----------------------------------------------^
/// ~~~
/// Variants: x*x for Pow; Reciprocal, 1/sqrt or Pow(-0.5) and Mul for Div; scale absent (ones) or
/// broadcast; Casts that keep the type. It acts where the last n sizes of x are known, x is float32
/// and no inner value is read elsewhere.
///
/// The node is RMSNormalization from opset 23 on, before that ai.onnx SimplifiedLayerNormalization,
/// a name that ONNX Runtime registers in ai.onnx for every opset. Both run on ONNX Runtime's CPU
/// provider and become QNN's RmsNorm with 8 and 16-bit activations and uint8 scale (seen with ONNX
/// Runtime 1.32 and its QNN provider 2.7; provider changes microsoft/onnxruntime#26853 and
/// onnxruntime/onnxruntime-qnn#82, #338). com.microsoft has no such operation, and raising a model
/// to opset 23 only for this would shut out older runtimes.
[[nodiscard]] PassReport recognise_rms_norm(graph::Graph& graph);

}  // namespace hexquant::passes
