#pragma once

#include "quant/layer_moments.h"
#include "weights/round_layer.h"

namespace hexquant::weights {

/// Range of the Relu or Clip behind a layer; open ends are infinite.
struct Clamp {
  float low = 0.0F;
  float high = 0.0F;
};

/// Mean squared error of clamp(y) over the samples, as a fraction of the power of clamp(t).
struct ClampedError {
  double before = 0.0;
  double after = 0.0;
  std::int64_t rows_changed = 0;
};

/// Second look at a rounded layer with a Relu or Clip behind it: what the clamp hides costs
/// nothing.
///
/// Minimises, row by row, sum_p (clamp(t_p) - clamp(V x^_p + b))^2 over single steps of the codes
/// and over b, by coordinate descent on the samples themselves. A quarter of the samples is held
/// out: a row keeps its new codes only if the error falls there too.
///
/// @param rounded     kChannel, kTensor or kGroup as solved; its codes change
/// @param bias        [groups * rows]; changes too unless `moves_bias` is false
/// @param grid        what `rounded` was solved with
/// @return errors over all samples. The result does not depend on `threads`.
/// Source: objective of AdaRound with activation, Nagel et al., arXiv:2004.10568, eq. 25, solved by
/// hard coordinate steps instead of a relaxation.
[[nodiscard]] ClampedError refine_clamped(const quant::LayerSamples& samples, Clamp clamp,
                                          const GridSpec& grid, std::int64_t groups,
                                          std::int64_t rows, std::int64_t columns,
                                          RoundedLayer& rounded, std::vector<float>& bias,
                                          bool moves_bias, int threads);

}  // namespace hexquant::weights
