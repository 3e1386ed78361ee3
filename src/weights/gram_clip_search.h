#pragma once

#include "weights/rounding_state.h"

namespace hexquant::weights {

/// Scales from shrunk min-max ranges, each with the factor that makes the error under H' least
/// when the target is rounded to nearest, and those nearest steps (not measured).
///
/// A scale of whole rows is judged by the whole quadratic form. A scale of a block is judged by the
/// block's own part of H', because what a block changes elsewhere the later steps make good.
/// With LPBQ the rows' scales come from the blocks' best ones; then each block takes the multiple
/// that serves it best.
/// @param start  grid whose factors are 1
[[nodiscard]] Rounding search_clip_factors(const RoundingContext& context, const LayerGrid& start);

}  // namespace hexquant::weights
