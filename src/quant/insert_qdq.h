#pragma once

#include "graph/graph.h"
#include "quant/quant_plan.h"

namespace hexquant::quant {

/// What the integer initializers hold.
enum class CodeValues {
  kQuantized,  ///< the weights under their encodings
  kZero        ///< nothing but their shape: for analyses that look at the form of a model only
};

/// The quantized model: `graph` with QuantizeLinear / DequantizeLinear pairs around every tensor of
/// `encodings`. Weights become integer initializers with a DequantizeLinear, biases int32.
///
/// A value that a DequantizeLinear makes of a uint8 graph input (graph::integer_input) is read as
/// it is when its encoding is that node's own. Tensors that are graph outputs keep their name: the
/// value before the pair is renamed
/// `<name>_QuantizeLinear_Input`. Per-channel needs opset 13, 16 and 4 bits opset 21: below, the
/// com.microsoft operators are used and that domain is imported.
/// @throws Error(kInternal) if an encoding names a value the graph does not have
[[nodiscard]] graph::Graph insert_qdq(graph::Graph graph, const EncodingTable& encodings,
                                      CodeValues codes = CodeValues::kQuantized);

}  // namespace hexquant::quant
