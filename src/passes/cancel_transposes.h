#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Removes Transposes that undo each other with element-wise operations between them.
/// ~~~
///   x -> Transpose(p) -> Relu -> Add(y') -> Transpose(p^-1) -> z      y' = Transpose(p)(y)
///   x -> Relu -> Add(y) -> z
/// ~~~
/// Element-wise operations, Concat, Softmax, Pad, reductions that keep dimensions, Split and
/// per-tensor Quantize/DequantizeLinear compute the same in any order of the axes; their constants
/// are transposed and their axes renumbered. A connected part of such operations is changed as a
/// whole when fewer elements are moved afterwards: Transposes that it begins and ends with go, and
/// where it is read or fed otherwise one Transpose is put. The numbers stay the same bits.
///
/// Why: exporters from channel-last frameworks wrap every layer in two Transposes; on the HTP each
/// of them moves the whole tensor.
[[nodiscard]] PassReport cancel_transposes(graph::Graph& graph);

}  // namespace hexquant::passes
