#pragma once

#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "pipeline/quantize_options.h"
#include "target/target.h"
#include "weights/absorb_bias.h"
#include "weights/equalize_cross_layer.h"

namespace hexquant::pipeline {

struct EqualizationResult {
  std::vector<weights::EqualizedGroup> groups;
  std::vector<weights::AbsorbedGroup> absorbed;
  /// Relative output error of the whole quantized model before and after, over a few samples; NaN
  /// when nothing was changed.
  double error_before = 0.0;
  double error_after = 0.0;
  bool reverted = false;  ///< the whole model became worse: nothing was changed
  Findings findings;
};

/// Cross-layer equalization of a prepared float graph (docs/methods/equalization.md).
///
/// One calibration pass gives the channels' ranges; then each group of layers is changed only if
/// the quantized model's measured error falls, and all of it is undone if the model as a whole does
/// not gain.
[[nodiscard]] EqualizationResult equalize(graph::Graph& graph, const QuantizeOptions& options,
                                          const target::Target& target,
                                          const data::Dataset& dataset, int threads,
                                          ProgressSink& progress);

}  // namespace hexquant::pipeline
