#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::passes {

/// One element of an integer tensor that is computed from shapes.
struct ShapeElement {
  std::optional<std::int64_t> value;  ///< absent: only known at run time
  /// The free input dimension that the element is equal to; such a number is never negative.
  std::string symbol;
};

/// A small integer or Boolean tensor, element by element.
struct ShapeTensor {
  DType dtype = DType::kInt64;
  Shape shape;
  std::vector<ShapeElement> elements;

  [[nodiscard]] bool is_known() const;
  /// @pre is_known()
  [[nodiscard]] Tensor to_tensor() const;
};

/// Tensors above this size are not followed.
inline constexpr std::int64_t kLargestShapeTensor = 1024;

/// Follows the numbers that come from Shape, Size and small constants through shape arithmetic
/// (Gather, Slice, Concat, Cast, Add, Mul, Equal, Where, Range, ...), one element at a time, so
/// that one free dimension does not hide the others. Fixed dimensions of known types count as
/// constants.
/// @return what is known of the values computed by nodes; by value name
/// @pre nodes are sorted
[[nodiscard]] std::map<std::string, ShapeTensor> evaluate_shapes(const graph::Graph& graph);

}  // namespace hexquant::passes
