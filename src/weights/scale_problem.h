#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "quant/quant_plan.h"
#include "weights/channel_bounds.h"
#include "weights/channel_gains.h"
#include "weights/equalization_groups.h"
#include "weights/scale_search.h"

namespace hexquant::weights {

/// How the channels of a group with a Clip are kept below its limit.
struct ClipChannels {
  std::int64_t exact = 0;     ///< interval arithmetic says so: for every input
  std::int64_t observed = 0;  ///< calibration data with a margin say so
  std::int64_t fixed = 0;     ///< they reach the limit: scale 1
};

struct GroupProblem {
  ScaleProblem problem;
  ClipChannels clipped;  ///< zeros for a group without Clip
};

struct ProblemOptions {
  /// Channels of a Clip whose largest calibration value times this is below the limit may be scaled
  /// up to it; <= 0: only channels that are bounded for every input.
  double observed_margin = 1.25;
};

/// The noise of one group under a plan, from the weights as they are now.
/// @param table, gains, bounds  of the same graph
[[nodiscard]] GroupProblem make_scale_problem(
    const graph::Graph& graph, const quant::QuantPlan& plan, const ScaleGroup& group,
    const ChannelTable& table, const std::map<std::string, std::vector<double>>& gains,
    const std::map<std::string, ChannelBounds>& bounds, const ProblemOptions& options);

}  // namespace hexquant::weights
