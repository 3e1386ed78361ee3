#pragma once

#include <string>

#include "quant/quant_plan.h"

namespace hexquant::plan {

/// The plan as text, one line a tensor, edge, bias, layer and finding, sorted as in the plan: for
/// golden tests and debugging.
[[nodiscard]] std::string plan_text(const quant::QuantPlan& plan);

}  // namespace hexquant::plan
