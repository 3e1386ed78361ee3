#pragma once

#include <vector>

#include "graph/graph.h"
#include "passes/pass.h"
#include "plan/plan.h"
#include "target/target.h"

namespace hexquant::pipeline {

/// Takes the biases out of those layers whose weights get groups when they have none, and of no
/// others: an Add costs time. Found by planning a copy of the graph with all biases taken out.
/// Nothing is done unless groups are asked for.
/// @param reports  gains the pass's report when it changed something
void split_group_biases(graph::Graph& graph, const target::Target& target,
                        const plan::PlanOptions& options, std::vector<passes::PassReport>& reports);

}  // namespace hexquant::pipeline
