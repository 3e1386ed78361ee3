#pragma once

#include "graph/graph.h"
#include "quant/quant_plan.h"

namespace hexquant::pipeline {

/// The QDQ model that a plan leads to, with the form of everything and the numbers of nothing:
/// integer weights are zero, scales are small enough for every Relu and Clip to be implied. What
/// depends on form alone (placement, performance) is the same as of the quantized model, without
/// calibration.
/// @param graph  prepared float graph that the plan was made for
[[nodiscard]] graph::Graph quantized_structure(graph::Graph graph, const quant::QuantPlan& plan);

}  // namespace hexquant::pipeline
