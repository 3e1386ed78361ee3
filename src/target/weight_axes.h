#pragma once

#include <optional>
#include <string>

#include "graph/graph.h"
#include "target/rules.h"

namespace hexquant::target {

/// Axes of a layer's weight tensor.
struct WeightAxes {
  int channel = 0;    ///< output channels; -1 where per-channel scales are not possible
  int reduction = 0;  ///< inputs that are summed: where blocks lie
};

/// Axes of `initializer` as the first operation reads it that has it as its weight; nullopt when
/// none does.
[[nodiscard]] std::optional<WeightAxes> weight_axes(const Rules& rules, const graph::Graph& graph,
                                                    const std::string& initializer);

}  // namespace hexquant::target
