#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "passes/graph_match.h"

// The part that decomposed LayerNorm and RMSNorm have in common.
namespace hexquant::passes {

/// numerator / sqrt(mean(base^2, axes) + epsilon), written in any of the usual ways:
/// ~~~
///   base -> Pow(2) | Mul(base, base) -> ReduceMean(axes, keepdims=1) -> Add(epsilon) = s
///   Div(numerator, Sqrt(s) | Pow(s, 0.5))
///   Mul(numerator, Reciprocal(Sqrt(s)) | Div(1, Sqrt(s)) | Pow(s, -0.5))        either order
/// ~~~
/// with Casts that keep the type anywhere in between.
struct RmsQuotient {
  std::string numerator;
  std::string base;
  double epsilon = 0.0;
  std::vector<std::int64_t> axes;  ///< trailing, counted from the end: {-n, ..., -1}
  Nodes nodes;                     ///< from the square to the quotient
  const graph::Node* last = nullptr;
};

/// The quotient whose last operation is `node`, if it is one.
[[nodiscard]] std::optional<RmsQuotient> match_rms_quotient(const graph::Graph& graph,
                                                            const graph::Node& node);

/// 1 / sqrt(mean(base^2, axes) + epsilon) = value; `numerator` and `last` stay unset.
[[nodiscard]] std::optional<RmsQuotient> match_inverse_rms(const graph::Graph& graph,
                                                           const std::string& value);

/// Per-element factor and offset that follow a normalization.
struct AffineTail {
  std::string scale;                  ///< initializer, "" when absent
  std::string shift;                  ///< initializer, "" when absent
  Nodes nodes;                        ///< Mul and Add (and neutral Casts)
  const graph::Node* last = nullptr;  ///< nullptr when both are absent
};

/// value [-> Mul(constant)] [-> Add(constant)], each with one reader, where the constants broadcast
/// to `shape` (the normalized dimensions) and have at most `rank` dimensions.
/// @param with_shift  look for the Add too
[[nodiscard]] AffineTail match_affine_tail(const graph::Graph& graph, const std::string& value,
                                           const Shape& shape, std::int64_t rank, bool with_shift);

/// Initializer of this shape: `scale`, expanded if need be, or ones when it is "".
[[nodiscard]] std::string scale_of_shape(graph::Graph& graph, const std::string& scale,
                                         const std::string& node_name, const Shape& shape);

}  // namespace hexquant::passes
