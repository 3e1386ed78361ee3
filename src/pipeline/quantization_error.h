#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "pipeline/quantize_options.h"
#include "quant/quant_plan.h"
#include "runtime/session.h"
#include "weights/equalization_groups.h"
#include "weights/equalize_cross_layer.h"

namespace hexquant::pipeline {

/// Measures what quantization does to the outputs of a graph on a few samples that are kept in
/// memory. Ranges, clip search and widths are those of the real run.
class QuantizationMeter {
 public:
  /// @param samples  items of the data set used at most
  QuantizationMeter(const graph::Graph& graph, const QuantizeOptions& options,
                    const data::Dataset& dataset, std::int64_t samples);

  /// Relative error of the outputs of `graph` with everything in `plan` quantized:
  /// sum (y - y_q)^2 / sum y^2, averaged over the outputs.
  [[nodiscard]] double model_error(const graph::Graph& graph, const quant::QuantPlan& plan) const;

  /// The same with only the weights around a group and its activations quantized. Everything
  /// before the group is computed once.
  [[nodiscard]] weights::CandidateError group_error(const graph::Graph& graph,
                                                    const quant::QuantPlan& plan,
                                                    const weights::ScaleGroup& group) const;

 private:
  QuantizeOptions options_;
  std::vector<runtime::Feeds> feeds_;
  std::vector<std::vector<Tensor>> expected_;  // [sample][output]
  std::vector<std::string> outputs_;
};

}  // namespace hexquant::pipeline
