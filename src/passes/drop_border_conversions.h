#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/tensor.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// A graph input or output that holds codes: x = (q - zero_point) * scale.
struct BorderEncoding {
  std::string value;
  DType type = DType::kUInt8;
  double scale = 1.0;
  std::int64_t zero_point = 0;
};

/// Makes float inputs that are only quantized, and float outputs that come from a
/// DequantizeLinear, hold codes: the QuantizeLinear and DequantizeLinear at the border go, names
/// stay. The application then quantizes its inputs and reads codes, by the encodings that come
/// back. Only conversions with one constant scale.
/// @param[out] encodings  one entry for each border that changed
///
/// Why: in float, conversion and layout change of inputs and outputs cost the HTP more than ten
/// convolutions, and on the host a copy.
[[nodiscard]] PassReport drop_border_conversions(graph::Graph& graph,
                                                 std::vector<BorderEncoding>& encodings);

}  // namespace hexquant::passes
