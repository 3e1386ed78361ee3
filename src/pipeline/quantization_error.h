#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "pipeline/quantize_options.h"
#include "quant/quant_plan.h"
#include "runtime/session.h"

namespace hexquant::pipeline {

/// How far the judge follows the recipe; scales, clip search and bias correction always do.
struct JudgeOptions {
  bool solve = true;  ///< GPTQ and coordinate descent, if the recipe has them
  bool quantize_biases = true;
  int threads = 1;
};

/// The graph as it runs after quantization by `plan` with the methods of the recipe, for which
/// `feeds` are the calibration data. Methods that work layer by layer on the quantized prefix are
/// taken in their one-pass form. Weights and biases stay float, on their grids.
[[nodiscard]] graph::Graph quantized_graph(graph::Graph graph, const quant::QuantPlan& plan,
                                           const QuantizeOptions& options,
                                           const std::vector<runtime::Feeds>& feeds,
                                           const JudgeOptions& judge);

/// Measures what quantization does to the outputs of a graph on a few samples that are kept in
/// memory.
class QuantizationMeter {
 public:
  /// @param samples  items of the data set used at most
  QuantizationMeter(const graph::Graph& graph, const QuantizeOptions& options,
                    const data::Dataset& dataset, std::int64_t samples, int threads);

  /// Relative error of the outputs of `graph` with everything in `plan` quantized:
  /// sum (y - y_q)^2 / sum y^2, averaged over the outputs. The same for any number of threads.
  [[nodiscard]] double model_error(const graph::Graph& graph, const quant::QuantPlan& plan) const;

 private:
  QuantizeOptions options_;
  int threads_;
  std::vector<runtime::Feeds> feeds_;
  std::vector<std::vector<Tensor>> expected_;  // [sample][output]
  std::vector<std::string> outputs_;
};

}  // namespace hexquant::pipeline
