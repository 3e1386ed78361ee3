#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "quant/quant_plan.h"
#include "quant/statistics.h"
#include "weights/round_layer.h"
#include "weights/rounding_report.h"

namespace hexquant::pipeline {

/// Whose inputs a layer is rounded for.
enum class RoundingMode {
  kOnePass,     ///< the float model's: moments of the calibration pass, all layers independent
  kSequential,  ///< the quantized prefix's, layer by layer in graph order
  kBlock        ///< sequential, with residual Adds and the following activation in the objective
};

struct DataRounding {
  RoundingMode mode = RoundingMode::kBlock;
  weights::RoundingOptions solver;
  bool correct_bias = true;
  std::int64_t positions = 8192;  ///< output positions of each layer, at least 8 x its columns
  /// Ridge towards W in fit_target. What the inputs of one sample set ask for beyond that does not
  /// carry over: output SQNR of EfficientNet-Lite0 W4A8 (all layers) 8.5 dB with 0.01, 9.9 with
  /// 0.2, 10.1 with 0.5; ResNet-20 23.2 dB with 0.01, 24.0 with 0.3; MobileNetV2 11.7 and 14.1.
  double target_damping = 0.5;
  std::int64_t memory_bytes = std::int64_t{2} << 30;  ///< of the values at a cut
};

/// Rounds the weights of every layer that has data, and corrects its bias.
///
/// @param prepared   float weights
/// @param on_grid    gets the rounded weights and the corrected biases
/// @param encodings  holds the activations' encodings; gets those of the weights
[[nodiscard]] std::vector<weights::RoundingReport> round_weights(
    const graph::Graph& prepared, graph::Graph& on_grid, const quant::QuantPlan& plan,
    quant::EncodingTable& encodings, const quant::Statistics& statistics,
    const data::Dataset& dataset, const DataRounding& options, std::uint64_t seed, int threads,
    Findings& findings, ProgressSink& progress);

}  // namespace hexquant::pipeline
