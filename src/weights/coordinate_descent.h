#pragma once

#include "weights/rounding_state.h"

namespace hexquant::weights {

/// Improves a rounding by sweeps over the columns in which each step becomes the best one for its
/// column while all others stay, and, with options.rescale, by the best scale between sweeps
/// (not measured). Every accepted change lowers the error under H'.
///
/// Rows stop when no step of their panel changes, when a sweep gains less than 1e-5 of the error,
/// or after options.max_sweeps.
/// @param sweeps  becomes the largest number of sweeps that any panel took
[[nodiscard]] Rounding descend(const RoundingContext& context, const Rounding& start, int& sweeps);

}  // namespace hexquant::weights
