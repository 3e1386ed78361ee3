#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "quant/statistics.h"

namespace hexquant::weights {

/// What is known of one activation, channel by channel, over the calibration data.
struct ChannelStatistics {
  std::vector<double> min;
  std::vector<double> max;
  std::vector<double> mean;
  std::vector<double> mean_square;  ///< E[x^2]
};
using ChannelTable = std::map<std::string, ChannelStatistics>;
/// By value: a number for each channel, or one that holds for all.
using ChannelGains = std::map<std::string, std::vector<double>>;

/// The values of `statistics` that have channel moments.
[[nodiscard]] ChannelTable channel_table(const quant::Statistics& statistics);

/// By value and channel: how much independent noise of variance 1 there raises the variance of the
/// graph's outputs, roughly.
///
/// Noise is followed from the outputs back: through a linear layer by the squares of its weights,
/// through Relu and Clip in proportion to how often the channel is active under noise as large as
/// its signal (from mean and variance of their inputs, where the table has them), through other
/// operations unchanged. Only ratios between channels mean
/// something. A vector of one element holds for all channels.
[[nodiscard]] ChannelGains channel_gains(const graph::Graph& graph, const ChannelTable& table);

}  // namespace hexquant::weights
