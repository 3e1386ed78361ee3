#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/progress.h"
#include "quant/quant_plan.h"
#include "weights/channel_gains.h"
#include "weights/equalization_groups.h"
#include "weights/scale_problem.h"

namespace hexquant::weights {

/// Relative error of what a group's consumers compute, or of the whole graph, when the tensors of
/// the group alone are quantized; called from several threads at once.
using CandidateError = std::function<double(const graph::Graph& candidate)>;
/// Prepares the measurement of `group` in `graph`: the candidates will differ from `graph` in the
/// scales of this group only. Called from one thread, for groups in graph order, round by round;
/// between two calls the graph changes in the scales of the group of the last call only.
using GroupMeter = std::function<CandidateError(const graph::Graph& graph, const ScaleGroup& group,
                                                const ChannelGains& gains)>;

struct EqualizationOptions {
  /// Shares of the best log-scales that are tried beside all of them (1) and nothing (0): where all
  /// of them gain too little, and where the group's error before is above `large_error`: few
  /// channels decide there, and how their weights happen to round.
  std::vector<double> strengths = {0.5, 0.25};
  double large_error = 0.01;
  /// Rounds over all groups, since a layer's two groups change each other; ends before when nothing
  /// changes.
  int rounds = 3;
  /// The measured error must fall to this share.
  double accepted_share = 0.95;
  /// The modelled noise must fall to this share for a group to be measured at all; the second holds
  /// for groups that have not been measured yet or whose error is large.
  double promised_share = 0.9;
  double promised_share_large = 0.97;
  ProblemOptions problem;
  int threads = 1;
};

/// What became of one group.
struct EqualizedGroup {
  std::vector<std::string> producers;  ///< node names
  std::vector<std::string> consumers;
  double strength = 0.0;      ///< of the last accepted change; 0 = left alone
  double error_before = 0.0;  ///< measured, relative; NaN = the model promised too little
  double error_after = 0.0;   ///< measured when all groups were done
  std::int64_t channels = 0;
  std::int64_t scaled = 0;   ///< channels whose scale is not 1
  double largest_ratio = 1;  ///< largest scale over smallest
  bool rejected = false;     ///< every strength was measured to be worse
  ClipChannels clipped;
};

/// Scales the channels between layers so that quantization adds less noise.
///
/// For each group: the scales that minimise the noise model (scale_search.h), then the measured
/// error at several strengths; a change is kept only where the error falls. Groups are visited in
/// graph order, for some rounds.
/// @param plan   of this graph; weights and activations that it leaves float add no noise
/// @param table  channel statistics of the groups' values and of the producers' inputs; scaled with
///               the graph
[[nodiscard]] std::vector<EqualizedGroup> equalize_cross_layer(
    graph::Graph& graph, const quant::QuantPlan& plan, ChannelTable& table, const GroupMeter& meter,
    const EqualizationOptions& options, ProgressSink& progress);

}  // namespace hexquant::weights
