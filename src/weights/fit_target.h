#pragma once

#include <span>
#include <vector>

#include "quant/layer_moments.h"

namespace hexquant::weights {

/// Best float weights for the inputs x^ that the quantized prefix gives:
///   W* = argmin E|t - W* x^ - b*|^2 + lambda |W* - W|^2 = (cov(t, x^) + lambda W)(cov(x^) + lambda
///   I)^-1
/// with lambda = damping * mean(diag cov(x^)): what the data do not show stays as it was.
///
/// @param weights  W, [groups, rows, columns]
/// @return W*, [groups, rows, columns]; W itself for a group whose inputs are constant
/// Source: least squares with a ridge towards W instead of 0.
[[nodiscard]] std::vector<float> fit_target(const quant::LayerMoments& moments,
                                            std::span<const float> weights, double damping,
                                            int threads);

}  // namespace hexquant::weights
