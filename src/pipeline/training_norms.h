#pragma once

#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "passes/pass.h"
#include "qat/batch_norm.h"

namespace hexquant::pipeline {

/// BatchNormalizations that can be trained beside the layer that took them over: of Conv, of
/// ConvTranspose without groups and of Gemm with alpha = beta = 1, whose weight and bias have no
/// other reader.
/// @param passes    that prepared the graph
/// @param findings  gains one when there are none, and one that names the layers left out
[[nodiscard]] std::vector<qat::BatchNorm> trainable_norms(
    const std::vector<passes::PassReport>& passes, const graph::Graph& prepared,
    Findings& findings);

}  // namespace hexquant::pipeline
