#pragma once

#include "passes/pass.h"

namespace hexquant::passes {

/// Gives every Conv, ConvTranspose and Gemm with constant weights and no bias a bias of zeros, so
/// that bias correction has a place for what it finds. The function stays the same, bit for bit.
[[nodiscard]] PassReport add_missing_bias(graph::Graph& graph);

}  // namespace hexquant::passes
