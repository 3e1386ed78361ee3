#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "graph/graph.h"

// Questions about values and initializers that every stage asks.
namespace hexquant::graph {

/// Rank of a value or initializer, when known.
[[nodiscard]] std::optional<std::int64_t> known_rank(const Graph& graph, const std::string& value);

/// A constant as a tensor of exactly this shape, repeated where ONNX would broadcast it; absent
/// when it is no float32 initializer or does not broadcast to the shape (one-way).
[[nodiscard]] std::optional<Tensor> broadcast_constant(const Graph& graph, const std::string& value,
                                                       const Shape& shape);

}  // namespace hexquant::graph
