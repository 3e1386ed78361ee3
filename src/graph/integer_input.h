#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "graph/graph.h"

namespace hexquant::graph {

/// How a graph input of codes becomes numbers: x = (q - zero_point) * scale.
struct IntegerInput {
  DType type = DType::kUInt8;
  float scale = 1.0F;
  std::int64_t zero_point = 0;
};

/// Set when `value` is a graph input of type uint8 seen through a DequantizeLinear with one
/// constant scale: an encoding that the application fixes, so that nothing need be quantized there.
[[nodiscard]] std::optional<IntegerInput> integer_input(const Graph& graph,
                                                        const std::string& value);

}  // namespace hexquant::graph
