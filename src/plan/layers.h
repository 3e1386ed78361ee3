#pragma once

#include "plan/classify.h"
#include "plan/fusion.h"
#include "quant/quant_plan.h"

namespace hexquant::plan {

/// Fills in weights, biases and parameters of integer nodes, and plan.layers: one row for each
/// integer operation (a fused chain is one), embedding table and float node.
///
/// A bias is int32 when it is a constant with one element for each output channel that no other
/// node reads; otherwise it stays float, which the target accepts. @pre the activations are in the
/// plan
void plan_layers(const Context& context, const Fusions& fusions, quant::QuantPlan& plan);

}  // namespace hexquant::plan
