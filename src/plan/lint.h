#pragma once

#include "plan/classify.h"
#include "plan/fusion.h"
#include "quant/quant_plan.h"

namespace hexquant::plan {

/// Checks the finished plan against the target: a "htp-illegal" finding for each node that the HTP
/// would reject, run in float or compute wrongly with the planned formats; "dynamic-shape" for
/// inputs with free dimensions; "block-weights" when weights are block-quantized.
void lint_plan(const Context& context, const Fusions& fusions, quant::QuantPlan& plan);

}  // namespace hexquant::plan
