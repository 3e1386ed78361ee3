#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/value_stream.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "pipeline/quantize_options.h"
#include "quant/quant_plan.h"
#include "weights/equalize_cross_layer.h"

namespace hexquant::pipeline {

/// Measures what the quantization of one scale group does to what its consumers compute.
///
/// Only the group's own activations and the weights of its layers are quantized, by the methods of
/// the recipe; the part of the graph between the inputs of its producers and the outputs of its
/// consumers is run. Values before it are held in a stream that moves through the graph with the
/// groups, so every layer runs a few times for all groups together.
class GroupErrorMeter {
 public:
  /// @param samples  items of the data set used at most
  GroupErrorMeter(const QuantizeOptions& options, const quant::QuantPlan& plan,
                  const data::Dataset& dataset, std::int64_t samples, int threads);

  /// Error of the outputs of the consumers: sum of gain E[(y - y_q)^2] over their channels, divided
  /// by that of gain E[y^2]; where that is large at the first look, and for that group from then
  /// on, the same at the outputs of the model, without gains. Between two calls `graph` may change
  /// in the scales of the group of the last call only.
  /// @param gains  how much noise of a channel matters (see channel_gains.h)
  [[nodiscard]] weights::CandidateError measure(const graph::Graph& graph,
                                                const weights::ScaleGroup& group,
                                                const weights::ChannelGains& gains);

 private:
  [[nodiscard]] weights::CandidateError measure_at(const graph::Graph& graph,
                                                   const weights::ScaleGroup& group,
                                                   const std::vector<std::string>& outputs,
                                                   const weights::ChannelGains& gains) const;
  void move_to(const graph::Graph& graph, std::size_t cut);

  const QuantizeOptions& options_;
  const quant::QuantPlan& plan_;
  const data::Dataset& dataset_;
  std::int64_t samples_;
  int threads_;
  std::size_t cut_ = 0;  ///< nodes before the values that the stream holds
  std::optional<calibrate::ValueStream> stream_;
  std::map<std::string, bool> far_;  ///< by first producer: measured at the model's outputs
};

}  // namespace hexquant::pipeline
