#include "target/weight_axes.h"

#include "target/legality.h"

namespace hexquant::target {

std::optional<WeightAxes> weight_axes(const Rules& rules, const graph::Graph& graph,
                                      const std::string& initializer) {
  const Tensor* weight = graph.find_initializer(initializer);
  if (weight == nullptr) return std::nullopt;
  for (const graph::Use& use : graph.uses(initializer)) {
    const OpRule* rule = find_rule(rules, *use.node);
    if (rule == nullptr || !rule->weight || rule->weight->input != use.index) continue;
    return WeightAxes{channel_axis(*rule, *use.node, weight->shape()),
                      reduction_axis(*rule, *use.node, weight->shape())};
  }
  return std::nullopt;
}

}  // namespace hexquant::target
