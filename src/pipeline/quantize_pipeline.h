#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/calibrator.h"
#include "core/json.h"
#include "core/stopwatch.h"
#include "graph/graph.h"
#include "hexquant/progress.h"
#include "hexquant/recipe.h"
#include "passes/pass.h"
#include "passes/prepare.h"
#include "pipeline/equalize.h"
#include "pipeline/quantize_options.h"
#include "qat/train.h"
#include "quant/quant_plan.h"
#include "quant/statistics.h"
#include "target/target.h"
#include "weights/quantize_weights.h"

namespace hexquant::pipeline {

/// How training went; what it made is in the other members of QuantizedModel.
struct TrainedModel {
  std::string metric;  ///< that validation reads
  qat::Loss loss = qat::Loss::kCrossEntropy;
  qat::TrainResult result;
};

/// Everything that the stages made of one model, in the order in which they made it.
struct QuantizedModel {
  graph::Graph original;         ///< as read
  graph::Graph prepared;         ///< after the passes and equalization, weights still float
  graph::Graph weights_on_grid;  ///< prepared, with the final weights and biases
  graph::Graph quantized;        ///< with Q/DQ
  std::vector<passes::PassReport> passes;
  quant::QuantPlan plan;
  quant::Statistics statistics;
  quant::EncodingTable encodings;
  std::vector<weights::WeightReport> weights;
  std::vector<weights::RoundingReport> rounding;  ///< layers rounded with the help of data
  EqualizationResult equalization;
  std::optional<TrainedModel> training;
  Findings findings;
  std::vector<std::pair<std::string, double>> seconds;  ///< wall time by stage
};

/// Inputs of a graph as a data set sees them.
[[nodiscard]] std::vector<data::ModelInput> model_inputs(const graph::Graph& graph);

/// How the model is prepared: patterns that a quantsim configuration does not list as supergroups
/// are not recognised.
[[nodiscard]] passes::PrepareOptions prepare_options(const Recipe& recipe,
                                                     const plan::PlanOptions& plan,
                                                     runtime::Feeds example);

/// Reads the model and makes it ready for planning: `original`, `passes`, `equalization` and
/// `prepared` of the result, and their times.
/// @return the calibration data
[[nodiscard]] std::unique_ptr<data::Dataset> read_and_prepare(const Recipe& recipe,
                                                              const QuantizeOptions& options,
                                                              const target::Target& target,
                                                              int threads, QuantizedModel& model,
                                                              ProgressSink& progress);

/// read_and_prepare(), and the plan: everything that needs no statistics.
[[nodiscard]] std::unique_ptr<data::Dataset> prepare_and_plan(const Recipe& recipe,
                                                              const QuantizeOptions& options,
                                                              const target::Target& target,
                                                              int threads, QuantizedModel& model,
                                                              ProgressSink& progress);

/// Moments that rounding takes from the calibration pass, when it rounds with them.
[[nodiscard]] std::vector<calibrate::GramRequest> gram_requests(const graph::Graph& graph,
                                                                const quant::QuantPlan& plan,
                                                                const QuantizeOptions& options);

/// From plan and statistics to numbers: `encodings` and `weights_on_grid`. The prepared graph is
/// left as it is, so that one calibration serves many plans.
void encode_and_round(const Recipe& recipe, const QuantizeOptions& options,
                      const data::Dataset& dataset, int threads, QuantizedModel& model,
                      ProgressSink& progress);

/// Puts trained weights (on their grids, biases float) and their encodings in the place of those
/// that encode_and_round() made: `encodings`, `weights_on_grid` and `quantized`, and findings on
/// biases.
void take_trained(const graph::Graph& weights, const quant::EncodingTable& encodings,
                  const quant::QuantPlan& plan, const QuantizeOptions& options,
                  QuantizedModel& model);

/// The stages from the model file to the quantized graph.
[[nodiscard]] QuantizedModel run_stages(const Recipe& recipe, const QuantizeOptions& options,
                                        const target::Target& target, int threads,
                                        ProgressSink& progress);

}  // namespace hexquant::pipeline
