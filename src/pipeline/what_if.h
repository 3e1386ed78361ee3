#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "pipeline/analyze_model.h"

namespace hexquant::pipeline {

/// The prediction after one change, or why it cannot be made.
struct WhatIf {
  std::string change;  ///< as it was asked for: "act-bits=16"
  std::string problem = {};
  perf::Estimate time_us = {};
  std::int64_t ddr_bytes = 0;
  std::int64_t spill_bytes = 0;
  std::int64_t vtcm_peak_bytes = 0;
};

/// Predicts a model after changes, each alone:
///
/// act-bits=8|16         activations everywhere
/// weight-bits=4|8|16    weights; 4 where the HTP gains from them, 4:all everywhere
/// layer:PATTERN=w4a16   widths of single layers (w or a alone is enough); PATTERN as --keep-float
/// vtcm-mb=N, dlbc       of the compiler
/// soc=NAME              another chip
/// resolution=N          height and width of all four-dimensional inputs
/// borders=uint8         integer inputs and outputs with the channels last
/// all                   a choice of the above that fits the model
///
/// A QDQ model keeps its Q/DQ pairs: widths are then changed on the workload, not planned again.
/// @throws Error(kInvalidArgument) for a change that is none of these
[[nodiscard]] std::vector<WhatIf> what_if(const graph::Graph& model, const AnalyzeRequest& request,
                                          const Analysis& now,
                                          const std::vector<std::string>& changes);

}  // namespace hexquant::pipeline
