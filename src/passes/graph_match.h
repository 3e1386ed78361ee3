#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/constants.h"
#include "graph/graph.h"

// Small helpers from which the recognise_* passes build their patterns.
namespace hexquant::passes {

/// Nodes of a matched subgraph, each once.
using Nodes = std::vector<const graph::Node*>;

/// How far a constant of a pattern may be from its mathematical value, relatively. Exporters write
/// sqrt(2) with as few as five digits (1.4142, 1e-5 off) and 1/6 as 0.16667 (2e-5 off). A function
/// that is off by this much differs by less than half a step of a 14-bit grid.
inline constexpr double kConstantTolerance = 3e-5;

/// |value - expected| <= kConstantTolerance * |expected|; false for NaN.
[[nodiscard]] bool is_near(double value, double expected) noexcept;

/// Adds the node unless it is there already.
void add_once(Nodes& nodes, const graph::Node& node);

/// Value of a one-element numeric initializer whose rank is at most `max_rank` (a constant of
/// higher rank than the tensor it meets would add dimensions to the result).
[[nodiscard]] std::optional<double> scalar_constant(const graph::Graph& graph,
                                                    const std::string& value,
                                                    std::int64_t max_rank = 1);

using graph::known_rank;
/// Element type of a value or initializer, when known.
[[nodiscard]] DType known_dtype(const graph::Graph& graph, const std::string& value);

/// Sizes of the last `count` dimensions, when all of them are fixed.
[[nodiscard]] std::optional<Shape> last_dimensions(const graph::Graph& graph,
                                                   const std::string& value, std::int64_t count);

/// The node that computes `value`, if it is an ai.onnx operation of this type; else nullptr.
[[nodiscard]] const graph::Node* producer_of(const graph::Graph& graph, const std::string& value,
                                             const std::string& op_type);

/// A Cast that is known not to change the type.
[[nodiscard]] bool is_neutral_cast(const graph::Graph& graph, const graph::Node& node);

/// Walks up through neutral Casts; they are added to `nodes`.
[[nodiscard]] std::string skip_casts(const graph::Graph& graph, const std::string& value,
                                     Nodes& nodes);

/// producer_of(skip_casts(value)); the node is added to `nodes` too.
[[nodiscard]] const graph::Node* match_producer(const graph::Graph& graph, const std::string& value,
                                                const std::string& op_type, Nodes& nodes);

/// The only reader of `value`, hopping over neutral Casts (added to `nodes`);
/// nullptr when there are several readers or the value is a graph output.
[[nodiscard]] const graph::Node* only_reader(const graph::Graph& graph, const std::string& value,
                                             Nodes& nodes);

/// A two-input node seen from one side.
struct Operands {
  std::string tensor;     ///< the operand that is not the constant
  double constant = 0.0;  ///< the scalar
  std::size_t index = 0;  ///< input index of the constant
};
/// Splits a two-input node into a tensor and a scalar constant, in either order.
[[nodiscard]] std::optional<Operands> split_scalar(const graph::Graph& graph,
                                                   const graph::Node& node);

/// Axes of a Reduce* node, as attribute (before opset 18) or constant input, counted from the end
/// and sorted (the last axis is -1). Absent when not constant, when keepdims is 0, or when a
/// non-negative axis meets an unknown rank. Empty list of axes = all = absent.
[[nodiscard]] std::optional<std::vector<std::int64_t>> kept_axes_from_end(const graph::Graph& graph,
                                                                          const graph::Node& node);
/// True for {-n, ..., -2, -1}.
[[nodiscard]] bool are_trailing(const std::vector<std::int64_t>& axes_from_end) noexcept;

/// Name of a value computed inside `nodes` that is a graph output or is read outside, so that the
/// subgraph cannot be replaced by one node; "" when there is none. Outputs of `last` do not count.
/// Neutral Casts that have outside readers are dropped from `nodes`: they can stay.
[[nodiscard]] std::string find_open_value(const graph::Graph& graph, Nodes& nodes,
                                          const graph::Node& last);

/// Puts one node in the place of a closed subgraph. The new node gets the name and the output of
/// `last`; `spec.outputs` and `spec.name` are ignored.
const graph::Node& replace_nodes(graph::Graph& graph, const Nodes& nodes, const graph::Node& last,
                                 graph::NodeSpec spec);

using graph::broadcast_constant;

/// The constant under a name whose initializer has exactly this shape: its own name if it fits as
/// it is, else a new initializer. @pre broadcast_constant(graph, value, shape)
[[nodiscard]] std::string constant_of_shape(graph::Graph& graph, const std::string& value,
                                            const Shape& shape);

}  // namespace hexquant::passes
