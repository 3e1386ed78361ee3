#pragma once

#include <cstddef>

#include "evaluate/evaluate_models.h"

namespace hexquant::evaluate {

/// Sessions of one model that share a memory of its outputs: what was run once is not run again, in
/// whichever of the sessions. For a search that scores many candidates against one float model on
/// the same samples.
///
/// The model is loaded once, when the first session is opened, and stays loaded. Inputs are told
/// apart by data::sample_digest. Times of remembered inferences mean nothing.
///
/// @param max_bytes  of outputs to remember; what comes later is run each time
[[nodiscard]] OpenSession remember_outputs(OpenSession open, std::size_t max_bytes = 1U << 28);

}  // namespace hexquant::evaluate
