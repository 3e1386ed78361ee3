#pragma once

#include "target/unit_check.h"

namespace hexquant::target {

/// Second step: why the vendor's library refuses an operation that was joined with its Q/DQ nodes;
/// nullopt when it takes it, whether or not the numbers are right.
[[nodiscard]] Answer validation_obstacle(const Rules& rules, const graph::Graph& model,
                                         const NodeUnit& unit, const OpRule& rule);

}  // namespace hexquant::target
