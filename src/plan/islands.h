#pragma once

#include "hexquant/finding.h"
#include "plan/classify.h"

namespace hexquant::plan {

/// Turns small integer islands among float nodes into float: connected integer nodes that touch a
/// float node and have no layer (Conv, Gemm, MatMul ...) among them. Quantizing a lone Add or Mul
/// there saves nothing and costs the accuracy of its Q/DQ pairs (states of recurrent models).
void demote_islands(Context& context, Findings& findings);

/// Takes movers and Concats out of the integer graph that neither move the result of an integer
/// node nor lead to one: they carry float values from float node to float node. So do movers of a
/// float result that float nodes read as well: the value is quantized behind the mover.
void drop_idle_movers(Context& context);

}  // namespace hexquant::plan
