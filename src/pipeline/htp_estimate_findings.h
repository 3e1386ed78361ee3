#pragma once

#include <cstddef>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "pipeline/htp_estimate.h"

namespace hexquant::pipeline {

/// What was seen while the files were read.
struct EstimateFiles {
  std::size_t malformed_lines = 0;  ///< of profile.csv
  std::size_t trace_count = 0;      ///< traces in profile_qnn.log
};

/// Why there is no estimate, or how far it can be trusted and what takes time needlessly.
[[nodiscard]] Findings estimate_findings(const HtpEstimate& estimate, const graph::Graph& graph,
                                         const EstimateFiles& files);

}  // namespace hexquant::pipeline
