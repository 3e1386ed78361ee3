#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::weights {

/// Relu6 and its like inside a group: the output value of Clip(0, limit).
struct ClipLimit {
  std::string value;
  float limit = 0.0F;
};

/// Values whose channels must be scaled together, and the layers around them.
///
/// Dividing output channel c of every producer (weight and bias) and every constant of `shifts` by
/// s_c > 0 and multiplying input channel c of every consumer by s_c keeps what the consumers
/// compute, because everything between is homogeneous channel by channel:
///
///   producer -> Relu -> [pool] -> consumer         producer --+-- Add -- consumer
///                                                  producer --+     `--- consumer
///
/// A depthwise convolution is a consumer of the group before it and a producer of the one behind.
/// With a Clip this holds only for channels that stay below its limit before and after.
/// Layers are named by the value that they compute, which does not change.
struct ScaleGroup {
  std::int64_t channels = 0;
  std::vector<std::string> values;     ///< graph order
  std::vector<int> axes;               ///< channel axis of each value, from the end (-1 = last)
  std::vector<std::string> producers;  ///< linear layers (see graph::LinearLayer)
  std::vector<std::string> consumers;  ///< linear layers; may appear once only
  std::vector<std::string> shifts;     ///< Adds of a constant along the channels
  std::vector<ClipLimit> clips;
  std::vector<std::string> rectifiers;  ///< outputs of Relu and Clip
  bool has_joins = false;               ///< values are added to each other
};

/// All groups of the graph that have a producer and a consumer, in graph order.
///
/// Operations that keep a group together: Relu, LeakyRelu, PRelu, Clip from 0, pools, Identity,
/// Dropout, zero Pad, Flatten / Reshape / Squeeze / ReduceMean that keep the channels, Add of two
/// values, Add of a constant. Any other reader or writer of a value, a graph output, a subgraph,
/// Concat, a layer between two values of one group, and shared weights leave the group out.
/// Values must have types.
[[nodiscard]] std::vector<ScaleGroup> find_scale_groups(const graph::Graph& graph);

/// Divides the group's producers by `scale` and multiplies its consumers, rounding once to float.
/// @pre scale.size() == group.channels, all > 0
void apply_scales(graph::Graph& graph, const ScaleGroup& group, const std::vector<double>& scale);

}  // namespace hexquant::weights
