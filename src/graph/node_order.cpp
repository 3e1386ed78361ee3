#include "graph/node_order.h"

#include <algorithm>
#include <utility>

namespace hexquant::graph {

NodeOrder::NodeOrder(const Graph& graph) : NodeOrder(graph, graph.node_list()) {}

NodeOrder::NodeOrder(const Graph& graph, std::vector<const Node*> order)
    : graph_(graph), nodes_(std::move(order)) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) positions_[nodes_[i]] = i;
}

std::size_t NodeOrder::position(const Node& node) const {
  const auto found = positions_.find(&node);
  return found == positions_.end() ? nodes_.size() : found->second;
}

bool NodeOrder::known_before(const std::string& value, std::size_t cut) const {
  if (graph_.is_input(value)) return graph_.find_initializer(value) == nullptr;
  const Node* producer = graph_.producer(value);
  return producer != nullptr && position(*producer) < cut;
}

std::vector<std::string> NodeOrder::frontier(std::size_t cut) const {
  std::vector<std::string> values;
  const auto look_at = [&](const std::string& value) {
    const auto& uses = graph_.uses(value);
    if (std::any_of(uses.begin(), uses.end(),
                    [&](const Use& use) { return position(*use.node) >= cut; })) {
      values.push_back(value);
    }
  };
  for (const std::string& input : graph_.inputs()) {
    if (known_before(input, cut)) look_at(input);
  }
  for (std::size_t i = 0; i < std::min(cut, nodes_.size()); ++i) {
    for (const std::string& output : nodes_[i]->outputs()) {
      if (!output.empty()) look_at(output);
    }
  }
  return values;
}

}  // namespace hexquant::graph
