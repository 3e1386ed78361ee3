#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "calibrate/value_stream.h"
#include "graph/graph.h"
#include "quant/layer_moments.h"
#include "quant/weight_matrix.h"

namespace hexquant::calibrate {

/// Where one side (float, quantized) of a layer's data comes from.
struct LayerSource {
  const ValueStream& stream;
  const graph::Graph& graph;
  std::string input;   ///< value that the layer reads there
  std::string addend;  ///< value that is added to its output there; empty = none
};

struct LayerToGather {
  const graph::Graph& graph;  ///< that `node` belongs to
  const graph::Node& node;
  const quant::WeightMatrix& layout;
  std::span<const float> weights;  ///< float weights, [groups, rows, columns]
  std::span<const float> bias;     ///< [groups * rows], or empty
};

struct GatherOptions {
  std::int64_t positions = 8192;    ///< wanted in all, drawn evenly over the samples
  std::int64_t kept_positions = 0;  ///< of these, returned as LayerSamples
  std::uint64_t seed = 0;
  int threads = 1;
};

struct GatheredLayer {
  quant::LayerMoments moments;
  quant::LayerSamples samples;
};

/// Moments of the inputs x^ that the layer sees in the quantized model and of the outputs
/// t = W x + b + (s - s^) that it should give there: the float output at the same positions, and
/// what a residual addend s lost on its own way.
/// @throws Error(kInvalidData) when the addend does not have the layer's output shape
[[nodiscard]] GatheredLayer gather_layer(const LayerToGather& layer, const LayerSource& reference,
                                         const LayerSource& quantized,
                                         const GatherOptions& options);

}  // namespace hexquant::calibrate
