#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/tensor.h"
#include "perf/prediction.h"
#include "perf/workload.h"
#include "plan/plan.h"
#include "target/placement.h"
#include "target/target.h"

namespace hexquant::pipeline {

/// What `hexquant analyze` does, as data.
struct AnalyzeRequest {
  std::string model;  ///< ONNX: float (planned as `quantize` would) or with Q/DQ (taken as it is)
  std::string soc = "SM8650";
  std::map<std::string, Shape> input_shapes;
  plan::PlanOptions plan;  ///< of float models: widths, granularity, exceptions
  perf::PredictOptions predict;
  /// Other figures of the chip, by their key in socs.json ("clock_mhz" ...).
  std::map<std::string, double> soc_figures;
};

/// A model as the NPU sees it, and what it is predicted to cost there.
struct Analysis {
  target::Soc soc;
  bool was_float = false;  ///< analysed as it would be quantized
  target::PlacementReport placement;
  perf::Workload workload;
  perf::Prediction prediction;
  perf::ModelError error;                               ///< how far such predictions have been off
  Findings findings;                                    ///< of all steps
  std::vector<std::pair<std::string, double>> seconds;  ///< wall time by step
};

/// The chip of a request with the user's own figures (source "declared by the user").
/// @throws Error(kInvalidArgument) for an unknown chip or figure
[[nodiscard]] target::Target analysis_target(const AnalyzeRequest& request);

/// The QDQ graph that an analysis looks at: the model itself, or the structure that quantizing it
/// would give, without calibration. Shapes of all values are known where that is possible.
struct AnalysisGraph {
  graph::Graph graph;
  bool was_float = false;
  Findings findings;
};
[[nodiscard]] AnalysisGraph analysis_graph(const AnalyzeRequest& request,
                                           const target::Target& target);
/// The same for a model that is in memory.
[[nodiscard]] AnalysisGraph analysis_graph(graph::Graph graph, const AnalyzeRequest& request,
                                           const target::Target& target);

/// Placement, workload and prediction of a QDQ graph whose shapes are known.
[[nodiscard]] Analysis analyze_graph(const graph::Graph& graph, const target::Target& target,
                                     const perf::PredictOptions& options);

/// The cost of a plan: for searches over widths.
/// @param prepared  float graph that the plan was made for
[[nodiscard]] perf::Prediction predict_plan(const graph::Graph& prepared,
                                            const quant::QuantPlan& plan,
                                            const target::Target& target,
                                            const perf::PredictOptions& options);

/// @throws Error(kIo), Error(kInvalidModel), Error(kInvalidArgument)
[[nodiscard]] Analysis analyze_model(const AnalyzeRequest& request);

}  // namespace hexquant::pipeline
