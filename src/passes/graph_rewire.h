#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

// Helpers of the structural passes.
namespace hexquant::passes {

/// Takes a node out whose first output always equals `source`: readers of that output read
/// `source`. Names of graph outputs and of values that subgraphs read stay.
/// @return false, with nothing changed, when a name forbids it or another output is in use
bool bypass_node(graph::Graph& graph, const graph::Node& node, const std::string& source);

/// Puts constants in the place of a node's output; the value keeps its name.
/// @pre the node's other outputs are unused and the output is no graph output
void replace_by_constant(graph::Graph& graph, const graph::Node& node, Tensor tensor);

/// True if a node reads the value, or the graph returns it.
[[nodiscard]] bool is_needed(const graph::Graph& graph, const std::string& value);

/// Static type of a value, initializers included.
[[nodiscard]] std::optional<graph::ValueType> known_type(const graph::Graph& graph,
                                                         const std::string& value);

/// Elements of a constant of type int32 or int64, row-major.
[[nodiscard]] std::optional<std::vector<std::int64_t>> constant_ints(const graph::Graph& graph,
                                                                     const std::string& value);

/// A list of integers that operator sets gave as an attribute first and as input `index` later.
/// `known` is false when it is computed at run time; `values` is empty when it is not given.
struct IntsParameter {
  bool known = true;
  std::optional<std::vector<std::int64_t>> values;
};
[[nodiscard]] IntsParameter ints_parameter(const graph::Graph& graph, const graph::Node& node,
                                           const std::string& attribute, std::size_t index);

/// Everything a node is made from, to make another like it.
[[nodiscard]] graph::NodeSpec copy_spec(const graph::Node& node);

}  // namespace hexquant::passes
