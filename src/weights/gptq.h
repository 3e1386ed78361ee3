#pragma once

#include "weights/rounding_state.h"

namespace hexquant::weights {

/// Rounds the columns one after the other, each for the least error given those before it, under
/// the premise that the later ones make good what they can (not measured).
///
/// Source: Frantar et al., arXiv:2210.17323, in the form of Babai's nearest plane: with H' = R R^T,
/// R upper triangular, the error is sum_k y_k^2, y = (V - T) R, and y_k depends on columns 0 ... k
/// alone. So R takes the place of the factor of the inverse, and the error comes for free.
/// With options.search_gptq_scales, scales are chosen by the error that GPTQ leaves: those of whole
/// rows among some factors of the given ones by whole runs, those of blocks by runs over the block.
/// @param start  grid that the scales start from
[[nodiscard]] Rounding round_by_gptq(const RoundingContext& context, const LayerGrid& start);

}  // namespace hexquant::weights
