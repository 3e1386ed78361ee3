#pragma once

#include "graph/graph.h"
#include "quant/quant_plan.h"

namespace hexquant::plan {

/// Fewer bits than the HTP computes with, for research with quantization-aware training.
struct NarrowCodes {
  int act_bits = 8;     ///< 4: values that nodes compute and that are no outputs become uint4
  int weight_bits = 4;  ///< 2: weights of 4 bits use the codes -2 ... 1 alone, stored as int4

  [[nodiscard]] bool any() const noexcept { return act_bits < 8 || weight_bits < 4; }
};

/// Narrows the plan of a model with 8-bit activations (and 4-bit weights). Inputs and outputs of
/// the model, ranges that the operation fixes (Softmax ...) and constants keep 8 bits. A finding
/// says that no HTP runs the result.
void narrow_codes(const graph::Graph& graph, const NarrowCodes& narrow, quant::QuantPlan& plan);

}  // namespace hexquant::plan
