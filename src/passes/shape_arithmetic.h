#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "graph/graph.h"
#include "passes/shape_values.h"

// Arithmetic on partly known integer tensors.
namespace hexquant::passes {

/// Add, Sub, Mul, Div, Mod, Min, Max, Equal, Less, Greater, LessOrEqual, GreaterOrEqual, And, Or.
[[nodiscard]] bool is_shape_operation(const std::string& op_type);

/// Element by element, with broadcasting. Known results of unknown operands: x * 0, a dimension
/// compared with a negative number, x / 1 ... @return nullopt when the shapes do not broadcast
[[nodiscard]] std::optional<ShapeTensor> combine(const graph::Node& node, const ShapeTensor& a,
                                                 const ShapeTensor& b);

/// Where(condition, yes, no) with broadcasting; an unknown condition gives an unknown element,
/// unless both sides are the same.
[[nodiscard]] std::optional<ShapeTensor> select(const ShapeTensor& condition,
                                                const ShapeTensor& yes, const ShapeTensor& no);

/// data[begin : end : step] of a list, by ONNX's rules for negative and excessive positions.
[[nodiscard]] ShapeTensor sliced(const ShapeTensor& data, std::int64_t begin, std::int64_t end,
                                 std::int64_t step);

/// start, start + delta, ... below (above) limit; nullopt when delta is 0 or the list is too long.
[[nodiscard]] std::optional<ShapeTensor> counted(DType dtype, std::int64_t start,
                                                 std::int64_t limit, std::int64_t delta);

}  // namespace hexquant::passes
