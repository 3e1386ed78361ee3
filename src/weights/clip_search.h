#pragma once

#include <span>

#include "hexquant/encoding.h"

namespace hexquant::weights {

/// Range for a group of weights that share one scale, found by clip search: the shrink factor
/// k / 64, k = 64 ... 16, of the min-max range with the least squared error
/// sum_i importance_i (w_i - w_q,i)^2 under nearest rounding; ties keep the wider range.
///
/// @param values      finite weights
/// @param importance  one non-negative factor for each value, or empty for all equal
/// Source: the grid search of "MSE" range estimation, Nagel et al., arXiv:2106.08295, eq. 6.
[[nodiscard]] Range search_clip_range(std::span<const float> values,
                                      std::span<const float> importance, DType type, bool symmetric,
                                      bool strict);

}  // namespace hexquant::weights
