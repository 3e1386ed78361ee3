#pragma once

#include <set>
#include <utility>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "plan/config_rules.h"
#include "plan/plan.h"

namespace hexquant::plan {

/// Neighbours in the graph that supergroups of the user join or keep apart.
struct Supergroups {
  using Pair = std::pair<const graph::Node*, const graph::Node*>;
  std::set<Pair> joined;    ///< nothing is quantized between the two
  std::set<Pair> separate;  ///< a value between the two is quantized even where the target fuses
};

/// Finds the chains of `op_list`s: each node is the only reader of the one before, and nothing else
/// sees the value between them. Those of overrides win over those of the configuration.
/// @param findings  gains the number of places of each supergroup of the overrides, and those that
///                  have none
[[nodiscard]] Supergroups find_supergroups(const graph::Graph& graph, const PlanOptions& options,
                                           Findings& findings);

}  // namespace hexquant::plan
