#pragma once

#include "graph/graph.h"
#include "passes/pass.h"
#include "passes/space_to_depth_stem.h"

namespace hexquant::passes {

/// Rounds channels between two layers up to a multiple of 32 with zeros:
/// ~~~
///   Conv [c outputs] -> activation, depthwise Conv, pool ... -> Conv [c inputs]
/// ~~~
/// New outputs have weight and bias 0; the layer behind multiplies them by 0, so nothing changes as
/// long as the operations between map 0 to a finite number (all that are accepted do). Each group
/// must be private: every value between is read by one node. Where `pays` says yes; channels up to
/// `kLargestPadding` times as many.
///
/// Why: the HTP keeps channels in groups of 32. It pads by itself, so this rarely gains: ask first.
inline constexpr double kLargestPadding = 2.0;
[[nodiscard]] PassReport pad_channels(graph::Graph& graph, const PaysOff& pays);

}  // namespace hexquant::passes
