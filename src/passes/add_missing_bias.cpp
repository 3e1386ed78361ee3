#include "passes/add_missing_bias.h"

#include "graph/linear_layer.h"

namespace hexquant::passes {

PassReport add_missing_bias(graph::Graph& graph) {
  PassReport report;
  report.pass = "add_missing_bias";
  for (const graph::Node* node : graph.node_list()) {
    const auto layer = graph::LinearLayer::find(graph, *node);
    if (!layer || !layer->takes_bias() || !node->input(2).empty()) continue;
    layer->set_bias(graph, layer->bias(graph));
    report.applied_to.push_back(node->name());
  }
  return report;
}

}  // namespace hexquant::passes
