#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Writes the way from a uint8 graph input to numbers as one DequantizeLinear:
/// ~~~
///   q (uint8 input) -> Cast(float) [-> Sub(c)] [-> Mul(k)] -> x      x = (q - zero_point) * scale
/// ~~~
/// in any order of Add, Sub, Mul and Div by scalars, as long as the zero point is an integer of
/// 0..255 (within 1e-4) and the scale positive; what does not fit stays behind it. Values with
/// other readers end the chain.
///
/// Why: the encoding of such an input is given by the application. Quantized anew, the HTP would
/// convert 8-bit numbers to 8-bit numbers; so it reads the pixels as they are.
[[nodiscard]] PassReport recognise_integer_input(graph::Graph& graph);

}  // namespace hexquant::passes
