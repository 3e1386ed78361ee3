#pragma once

#include <string>
#include <vector>

#include "perf/advice.h"
#include "pipeline/analyze_model.h"
#include "pipeline/what_if.h"

namespace hexquant::cli {

/// Head, totals and the layers that cost most, with bars.
/// @param rows  layers shown; 0 = all, in the order of the model
[[nodiscard]] std::string analysis_text(const std::string& model,
                                        const pipeline::Analysis& analysis, std::size_t rows);

/// Changes that pay, largest first; "" when there are none.
[[nodiscard]] std::string advice_text(const std::vector<perf::Advice>& advice);

[[nodiscard]] std::string what_if_text(const std::vector<pipeline::WhatIf>& rows,
                                       const pipeline::Analysis& now);

}  // namespace hexquant::cli
