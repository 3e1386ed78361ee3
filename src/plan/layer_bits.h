#pragma once

#include <string>

#include "plan/plan.h"

namespace hexquant::plan {

/// Reads "PATTERN=BITS", the form of --layer-bits: PATTERN is a node name with '*' or op:TYPE (it
/// may hold '=' itself), BITS are weight bits `8`, activation bits `a16`, or both, `w8a16`.
/// @throws Error(kInvalidArgument) naming the text and what was expected
[[nodiscard]] LayerBits parse_layer_bits(const std::string& text);

}  // namespace hexquant::plan
