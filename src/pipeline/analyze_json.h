#pragma once

#include <vector>

#include "core/json.h"
#include "perf/advice.h"
#include "pipeline/analyze_model.h"
#include "pipeline/what_if.h"

namespace hexquant::pipeline {

/// As in docs/schema/analyze.schema.json: soc, total, layers, vtcm, roofline, error of the model.
[[nodiscard]] Json to_json(const Analysis& analysis);
/// Findings of an analysis and advice with "saves_us", in one list.
[[nodiscard]] Json findings_json(const Analysis& analysis, const std::vector<perf::Advice>& advice);
[[nodiscard]] Json to_json(const std::vector<WhatIf>& rows, const Analysis& now);

}  // namespace hexquant::pipeline
