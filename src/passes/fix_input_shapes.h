#pragma once

#include <map>
#include <string>

#include "graph/graph.h"
#include "hexquant/tensor.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Gives graph inputs fixed shapes (--input-shape NAME=1,3,224,224). Known types of all other
/// values are forgotten where a dimension changed, because they may depend on it.
/// @throws Error(kInvalidArgument) naming the input on an unknown name (the message lists the
///         inputs), another rank, or a dimension below 1 or unlike the one the model fixes
PassReport fix_input_shapes(graph::Graph& graph, const std::map<std::string, Shape>& shapes);

}  // namespace hexquant::passes
