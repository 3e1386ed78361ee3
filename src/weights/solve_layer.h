#pragma once

#include <optional>
#include <vector>

#include "quant/layer_moments.h"
#include "weights/refine_clamped.h"
#include "weights/round_layer.h"
#include "weights/rounding_report.h"

namespace hexquant::weights {

/// One layer y = W x + b and what is known of its data.
struct LayerData {
  std::vector<float> weights;  ///< W, [groups, rows, columns]
  std::vector<float> bias;     ///< b, [groups * rows]; empty = none
  quant::LayerMoments moments;
  quant::LayerSamples samples;  ///< empty: no look behind the clamp
  std::optional<Clamp> clamp;   ///< Relu or Clip that alone reads the output
  bool moves_bias = false;      ///< the bias may take the mean of the error
};

struct SolvedLayer {
  RoundedLayer rounded;
  std::vector<float> values;  ///< (code - zero_point) * scale, [groups, rows, columns]
  std::vector<float> bias;    ///< [groups * rows]
  RoundingReport report;      ///< without names and times
};

/// All that is done to one layer: fit the weights to the inputs they get (fit_target), round them
/// (round_layer), let the bias take the mean, b = E[t] - V E[x^], and look at the result behind the
/// clamp (refine_clamped).
/// @throws Error as round_layer
[[nodiscard]] SolvedLayer solve_layer(LayerData data, const GridSpec& grid,
                                      const RoundingOptions& options, double target_damping);

}  // namespace hexquant::weights
