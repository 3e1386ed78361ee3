#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "weights/equalization_groups.h"

namespace hexquant::weights {

/// What absorption did to one group.
struct AbsorbedGroup {
  std::string producer;      ///< node name
  std::int64_t dead = 0;     ///< channels that are zero for every input: their weights became zero
  std::int64_t shifted = 0;  ///< channels whose lower bound went into the consumers' biases
};

/// High-bias absorption (Nagel et al., arXiv:1906.04721, eq. 15), only where it is exact.
///
/// Where a channel of y = f(W1 x + b1), f = Relu or Clip(0, limit), has pre-activations within
/// [low, high] for EVERY input of the graph (channel_bounds.h):
///
///   high <= 0              the channel is 0: its weights in both layers and its bias become 0, so
///                          that weights nothing can reach no longer stretch a range
///   0 < low, high <= limit  b1' = b1 - low, b2' = b2 + W2 low: f acts as the identity before and
///                          after. Only if every consumer is unpadded (a padding of zeros is not
///                          shifted) and takes a bias.
///
/// Groups with Add, pools or other operations than one f between are left alone.
std::vector<AbsorbedGroup> absorb_biases(graph::Graph& graph,
                                         const std::vector<ScaleGroup>& groups);

}  // namespace hexquant::weights
