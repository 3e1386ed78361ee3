#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::weights {

/// Limits of each channel of a value that hold for every input of the graph; may be infinite.
struct ChannelBounds {
  std::vector<double> low;
  std::vector<double> high;
};

/// Interval arithmetic from the graph's inputs (unlimited) on: a Relu6 gives [0, 6], and a linear
/// layer whose inputs are limited has limited outputs. Intervals are widened by what float32
/// arithmetic may add. Values behind operations that it does not know are left out; one element
/// holds for all channels.
[[nodiscard]] std::map<std::string, ChannelBounds> channel_bounds(const graph::Graph& graph);

}  // namespace hexquant::weights
