#pragma once

#include "formats/qnn/framework_trace.h"
#include "pipeline/profile_run.h"
#include "target/placement.h"

namespace hexquant::pipeline {

/// Nodes on the CPU, from the profiles' backends and from what the provider says that it refused.
///
/// Reasons: the provider's where `framework` has the node, else the rule that `predicted` (the
/// model's placement by our rules) names for it; the change that mends it comes from the rules.
/// @param framework, predicted  may be null
[[nodiscard]] Fallback find_fallback(const std::vector<profiling::ProfileTable>& profiles,
                                     const formats::FrameworkTrace* framework,
                                     const target::PlacementReport* predicted);

}  // namespace hexquant::pipeline
