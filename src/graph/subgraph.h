#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::graph {

/// The part of a graph that computes `outputs` from `inputs`: its nodes in order, the initializers
/// that they read, the types of their values. Inputs that it does not need are left out.
///
/// @param inputs  values of the graph that are given from outside; each needs a type
/// @throws Error(kInvalidArgument) naming an unknown value, an input without a type, or a value
///         that would need a graph input which is not among `inputs`
[[nodiscard]] Graph extract_subgraph(const Graph& graph, const std::vector<std::string>& inputs,
                                     const std::vector<std::string>& outputs);

/// The same with the types that the inputs have, whatever the graph knows of them.
[[nodiscard]] Graph extract_typed_subgraph(const Graph& graph,
                                           const std::map<std::string, ValueType>& inputs,
                                           const std::vector<std::string>& outputs);

/// Type of a value that is at hand: all dimensions fixed.
[[nodiscard]] ValueType type_of(const Tensor& tensor);

}  // namespace hexquant::graph
