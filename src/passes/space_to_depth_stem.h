#pragma once

#include <functional>

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Asked whether a graph in which one more place was rewritten is better than the one before.
using PaysOff = std::function<bool(const graph::Graph& before, const graph::Graph& after)>;

/// Writes a strided convolution with few input channels as SpaceToDepth and a convolution with
/// stride 1 and more channels:
/// ~~~
///   x [N,C,H,W] -> Conv(K x K, stride s)                        -> y
///   x -> SpaceToDepth(s) [N,C s^2,H/s,W/s] -> Conv(K' x K', 1)  -> y     K' = ceil-like, see below
/// ~~~
/// Tap t of the old kernel reads pixel s o - p + t = s (o + a) + b with a = floor((t - p) / s),
/// b = (t - p) mod s, so it becomes tap a - a_min of channel block b; other taps are zero. Products
/// and their number per output are the same; only the order of the sum changes.
///
/// Acts on 2-D convolutions with one group, equal strides s >= 2, no dilation, explicit pads, fixed
/// H and W that s divides, and at most `kStemChannels` input channels, where `pays` says yes.
///
/// Why: the matrix unit works on 32 input channels at a time; 3 of them leave it nine tenths idle.
inline constexpr int kStemChannels = 8;
[[nodiscard]] PassReport space_to_depth_stem(graph::Graph& graph, const PaysOff& pays);

}  // namespace hexquant::passes
