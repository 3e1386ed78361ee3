#pragma once

#include "plan/classify.h"
#include "plan/fusion.h"

namespace hexquant::plan {

/// Marks the values that a quantsim configuration leaves without a quantizer: they join
/// `fusions.interior`. Without a configuration nothing happens.
///
/// A value has a quantizer when the operation that computes it has is_output_quantized, one that
/// reads it has is_input_quantized, or it enters or leaves the model and model_input or
/// model_output says so. Movers share the encoding of what they move whatever their entry says:
/// there is no second rounding. Constants that operations read like activations have one.
void leave_out_unquantized(const Context& context, Fusions& fusions);

}  // namespace hexquant::plan
