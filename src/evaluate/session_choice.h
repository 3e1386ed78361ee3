#pragma once

#include <memory>

#include "evaluate/evaluate_models.h"
#include "graph/graph.h"
#include "runtime/session.h"

namespace hexquant::evaluate {

/// How ONNX Runtime computes a model both rightly and fast on this machine.
///
/// A graph whose Q/DQ nodes all have 8-bit codes (biases int32) runs on integer kernels. One with
/// 16-bit or 4-bit codes anywhere does not: there are no such kernels, and the attempt leaves the
/// weights' DequantizeLinear to be computed at every inference (40 against 15 ms an image for
/// EfficientNet-Lite0 with 16-bit activations). Both ways round the same values at the same places.
/// Nor does one with blocks: ONNX Runtime would make a MatMulNBits of accuracy level 4 of them,
/// which rounds the activations to 8 bits. A MatMulNBits that the graph itself holds multiplies
/// floats and asks for nothing.
[[nodiscard]] runtime::SessionOptions session_options(const graph::Graph& graph);

/// Session on a model's own outputs. @throws Error like runtime::Session and formats::read_onnx
[[nodiscard]] std::unique_ptr<runtime::InferenceSession> open_session(const Model& model);

}  // namespace hexquant::evaluate
