#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::pipeline {

/// The part of a graph that computes `outputs`, which become its outputs: nodes, initializers and
/// inputs that nothing of it reads are left out. @pre every name is a value of the graph
[[nodiscard]] graph::Graph select_outputs(const graph::Graph& graph,
                                          const std::vector<std::string>& outputs);

}  // namespace hexquant::pipeline
