#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "quant/quant_plan.h"

namespace hexquant::weights {

struct WeightOptions {
  /// Scale of each tensor / channel / group by clip search (see clip_search.h) instead of min-max.
  bool clip_search = false;
  int threads = 1;
};

/// Effect of quantization on one weight tensor.
struct WeightReport {
  std::string weight;
  double sqnr_db = 0.0;        ///< 10 log10(sum w^2 / sum (w - w_q)^2); +inf when exact
  double min_max_sqnr_db = 0;  ///< the same for min-max nearest rounding: what clip search gained
};

/// Chooses the encodings of all weights of the plan and puts the weights of `graph` on their grids,
/// and so the constants that are quantized like activations.
///
/// Afterwards nearest rounding with the encodings reproduces all these constants bit for bit.
/// @param encodings  holds those of activations and constant operands; gains one for each weight
/// @throws Error(kInvalidModel) naming a weight with NaN or infinite values
[[nodiscard]] std::vector<WeightReport> quantize_weights(graph::Graph& graph,
                                                         const quant::QuantPlan& plan,
                                                         quant::EncodingTable& encodings,
                                                         const WeightOptions& options,
                                                         ProgressSink& progress);

/// Encodings of all biases of the plan: int32, scale = scale(activation) * scale(weight), and the
/// biases of `graph` put on those grids.
///
/// A channel whose bias would not fit into 31 bits (a near-dead channel: tiny weights under a
/// normal bias) gets a larger weight scale first, and that weight's channel is put on the new grid.
/// Weights whose encoding the user gives keep it; their bias saturates, and a finding says so.
/// Call it when the encodings of activations and weights are known.
[[nodiscard]] Findings quantize_biases(graph::Graph& graph, const quant::QuantPlan& plan,
                                       quant::EncodingTable& encodings);

}  // namespace hexquant::weights
