#pragma once

#include <string>

#include "graph/graph.h"
#include "quant/quant_plan.h"

namespace hexquant::quant {

/// The encodings of a model that insert_qdq() made: the way back from `quantized` to the table.
///
/// The plan says what to look for, and what an ONNX file does not hold (symmetric, strict); the
/// pairs in front of the readers of each value, nodes being known by their names, say the numbers.
/// Biases are left out: their encodings follow from the others. So are weights in blocks with
/// two-level scales, whose integers are not in the model, and those of MatMulNBits, which it holds
/// packed: an encodings file has them.
/// @param quantized  from a file: every number is checked
/// @param graph      the float graph that pairs were put into, weights with any values
/// @param plan       made for `graph`
/// @param origin     file name for messages
/// @throws Error(kInvalidData) naming file and tensor: not quantized, or of another type, axis or
///         number of scales than the plan says; quantized where the plan says nothing; a scale that
///         is no positive number
[[nodiscard]] EncodingTable read_qdq(const graph::Graph& quantized, const graph::Graph& graph,
                                     const QuantPlan& plan, const std::string& origin);

}  // namespace hexquant::quant
