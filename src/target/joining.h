#pragma once

#include "target/unit_check.h"

namespace hexquant::target {

/// First step: why ONNX Runtime's QNN provider does not join an operation with its Q/DQ nodes, so
/// that it runs in float; nullopt when it does.
[[nodiscard]] Answer joining_obstacle(const Rules& rules, const graph::Graph& model,
                                      const NodeUnit& unit, const OpRule& rule);

}  // namespace hexquant::target
