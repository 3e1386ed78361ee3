#pragma once

#include <vector>

#include "hexquant/quantize.h"
#include "pipeline/equalize.h"
#include "pipeline/quantize_options.h"
#include "weights/rounding_report.h"

namespace hexquant::pipeline {

/// What the weight methods that were asked for gained, in the order in which they ran; empty when
/// there were none.
[[nodiscard]] std::vector<MethodGain> method_gains(
    const QuantizeOptions& options, const EqualizationResult& equalization,
    const std::vector<weights::RoundingReport>& rounding);

}  // namespace hexquant::pipeline
