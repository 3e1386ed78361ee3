#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/linear_layer.h"

namespace hexquant::passes {

using graph::ChannelLayout;
using graph::LinearLayer;

/// y = scale[c] * x + shift[c] for channel c of an activation.
struct ChannelAffine {
  std::vector<double> scale;
  std::vector<double> shift;

  [[nodiscard]] bool has_shift() const noexcept;
  [[nodiscard]] bool has_scale() const noexcept;  ///< some scale is not 1
};

/// The identity on `channels` channels.
[[nodiscard]] ChannelAffine identity_affine(std::int64_t channels);
/// outer(inner(x)).
[[nodiscard]] ChannelAffine compose(const ChannelAffine& outer, const ChannelAffine& inner);

/// The data input of a node that may be a channel_affine(); "" for all other nodes.
[[nodiscard]] std::string affine_input(const graph::Graph& graph, const graph::Node& node);

/// A node as a map of its input, an activation of this layout:
///   BatchNormalization (inference):  scale = gamma / sqrt(var + epsilon),
///                                    shift = beta - mean * scale
///   Mul, Div by, Add, Sub, and constant - x, with a float constant that is a scalar or differs
///   along the channel axis only.
/// Absent for other nodes, other constants, and when a number is not finite.
[[nodiscard]] std::optional<ChannelAffine> channel_affine(const graph::Graph& graph,
                                                          const graph::Node& node,
                                                          const ChannelLayout& layout);

}  // namespace hexquant::passes
