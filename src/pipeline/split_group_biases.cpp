#include "pipeline/split_group_biases.h"

#include <set>
#include <string>

#include "passes/split_bias.h"

namespace hexquant::pipeline {

void split_group_biases(graph::Graph& graph, const target::Target& target,
                        const plan::PlanOptions& options,
                        std::vector<passes::PassReport>& reports) {
  if (options.granularity != Granularity::kGroup) return;
  const std::set<std::string> biased = passes::biased_products(graph);
  if (biased.empty()) return;
  graph::Graph trial = graph;
  (void)passes::split_bias(trial, biased);
  std::set<std::string> grouped;
  for (const quant::LayerDecision& layer : plan::make_plan(trial, target, options).layers) {
    if (layer.granularity == Granularity::kGroup && biased.contains(layer.node)) {
      grouped.insert(layer.node);
    }
  }
  if (!grouped.empty()) reports.push_back(passes::split_bias(graph, grouped));
}

}  // namespace hexquant::pipeline
