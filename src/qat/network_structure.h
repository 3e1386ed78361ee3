#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/encoding.h"

// What training reads off a graph: decided by operation and position alone.
namespace hexquant::qat {

/// Constants that training changes: weights and biases of layers, scales and biases of
/// normalizations, embedding tables, slopes of PRelu, and the vector that an Add puts on a MatMul.
[[nodiscard]] std::set<std::string> trained_constants(const graph::Graph& graph);

/// True if the node's output holds only values of its data inputs (or 0), so that a tensor on a
/// grid stays on it.
[[nodiscard]] bool keeps_grid(const graph::Node& node);
/// Inputs of such a node that hold data.
[[nodiscard]] std::vector<std::string> data_inputs(const graph::Node& node);

/// Constant bounds of a Clip.
[[nodiscard]] std::optional<Range> clip_range(const graph::Graph& graph, const graph::Node& node);

/// Values behind residual Adds (behind their activation, where one follows alone), in order; where
/// there are none, behind Conv, ConvTranspose, Gemm and MatMul with constant weights.
[[nodiscard]] std::vector<std::string> find_block_outputs(const graph::Graph& graph);

}  // namespace hexquant::qat
