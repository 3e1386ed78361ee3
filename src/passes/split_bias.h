#pragma once

#include <set>
#include <string>

#include "passes/pass.h"

namespace hexquant::passes {

/// Names of the Gemm and 1x1 Conv nodes (one group, constant weight) with a constant bias.
[[nodiscard]] std::set<std::string> biased_products(const graph::Graph& graph);

/// Takes the bias out of some of them, into an Add of its own:
///
///   y = Gemm(x, w, b)   =>   y = Add(Gemm(x, w), b)
///
///   y = Conv(x, w, b)   =>   y = Add(Conv(x, w), b as [C, 1, 1])
///
/// The HTP computes layers with group-quantized weights wrongly, or not at all, when they have a
/// bias. The layer keeps its name; the Add is called <name>_bias.
/// @param nodes  a subset of biased_products(graph)
PassReport split_bias(graph::Graph& graph, const std::set<std::string>& nodes);

}  // namespace hexquant::passes
