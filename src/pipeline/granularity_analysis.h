#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/json.h"
#include "graph/graph.h"
#include "weights/granularity.h"

namespace hexquant::pipeline {

/// Errors of the weights of all layers, and what a chip makes of each choice.
struct GranularityAnalysis {
  int weight_bits = 8;
  std::string soc;
  std::vector<weights::GranularityRow> rows;  ///< graph order
  /// For each row and choice: the HTP takes such (symmetric) weights for this operation. Groups
  /// may need 16-bit activations.
  std::vector<std::array<bool, weights::kScaleChoices.size()>> runs;
  weights::GranularityRow total;
};

/// Prepares a copy of the graph (BatchNormalization folded: these are the weights that run) and
/// measures every constant weight of a layer. No data is needed.
/// @throws Error(kInvalidArgument) on unknown chips or widths, Error(kInvalidModel) when
/// preparation fails or no layer has weights
[[nodiscard]] GranularityAnalysis analyze_granularity(const graph::Graph& graph,
                                                      const std::string& soc, int weight_bits);

/// Members of docs/schema/granularity.schema.json after the header.
[[nodiscard]] Json to_json(const GranularityAnalysis& analysis);

}  // namespace hexquant::pipeline
