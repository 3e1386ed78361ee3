#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Moves zero padding of the spatial dimensions into the Conv and pool nodes that read it.
///
/// Acts on Pad(mode constant, value 0, constant pads >= 0, batch and channel dimensions not padded)
/// when every reader takes it exactly:
/// - Conv: pads add up (auto_pad NOTSET or VALID);
/// - AveragePool: padded zeros are part of the mean, so count_include_pad becomes 1; not with own
///   padding that is left out of the mean, nor with ceil_mode or dilations;
/// - MaxPool: its own padding never wins but a zero can, so only where the padded tensor is known
///   to be >= 0 (Relu, Clip from 0, Sigmoid, Softmax ... before it); not with Indices, ceil_mode or
///   dilations.
/// Pools also need pads smaller than the kernel, as ONNX demands. A Pad before a Conv or pool
/// that stays gives the finding "pad-not-folded".
[[nodiscard]] PassReport fold_pad(graph::Graph& graph);

}  // namespace hexquant::passes
