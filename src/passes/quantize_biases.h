#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// In a QDQ model, gives layers whose data and weight are dequantized codes, but whose bias is
/// float, or has codes of another type or scale (of the layer that it is shared with), an int32
/// bias: scale = data scale * weight scale (per output channel where the weight has one), code =
/// round_half_even(bias / scale). The bias moves by at most half a scale, which is far below one
/// step of the output.
///
/// Acts on Conv, ConvTranspose and Gemm (beta 1) with constant scales and zero points. A bias whose
/// codes do not fit 32 bits stays, with a finding. Quantizers leave biases
/// float, or quantize them like 8-bit activations, that an exporter shares through Identity nodes;
/// whatever constant nodes are between is computed.
///
/// Why: one float bias makes the HTP run the whole layer in float. Such a MobileNetV2 takes 65 ms
/// instead of 0.28 ms in the vendor's estimate.
[[nodiscard]] PassReport quantize_biases(graph::Graph& graph);

}  // namespace hexquant::passes
