#include "plan/islands.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/format.h"

namespace hexquant::plan {
namespace {

using graph::Node;

bool is_part(Handling handling) {
  return handling == Handling::kInteger || handling == Handling::kMover ||
         handling == Handling::kConcat;
}

/// Nodes of one connected integer region.
struct Island {
  std::vector<const Node*> nodes;
  bool has_layer = false;
  bool touches_float = false;
};

class IslandFinder {
 public:
  explicit IslandFinder(const Context& context) : context_(context) {}

  std::vector<Island> run() {
    std::vector<Island> islands;
    for (const Node& node : context_.graph.nodes()) {
      if (!is_part(context_.choice(node).handling) || !seen_.emplace(&node, true).second) continue;
      islands.push_back(grow(node));
    }
    return islands;
  }

 private:
  Island grow(const Node& start) {
    Island island;
    std::vector<const Node*> open = {&start};
    while (!open.empty()) {
      const Node& node = *open.back();
      open.pop_back();
      island.nodes.push_back(&node);
      if (context_.choice(node).rule->role == target::OpRole::kLayer) island.has_layer = true;
      for (const std::string& value : node.inputs()) {
        if (is_activation(value)) visit(context_.graph.producer(value), island, open);
      }
      for (const std::string& value : node.outputs()) {
        if (!is_activation(value)) continue;
        for (const graph::Use& use : context_.graph.uses(value)) visit(use.node, island, open);
      }
    }
    return island;
  }

  [[nodiscard]] bool is_activation(const std::string& value) const {
    return !value.empty() && value_dtype(context_.graph, value) == DType::kFloat32;
  }

  void visit(const Node* node, Island& island, std::vector<const Node*>& open) {
    if (node == nullptr) return;
    const Handling handling = context_.choice(*node).handling;
    if (handling == Handling::kFloat) island.touches_float = true;
    if (is_part(handling) && seen_.emplace(node, true).second) open.push_back(node);
  }

  const Context& context_;
  std::unordered_map<const Node*, bool> seen_;
};

bool moves(Handling handling) {
  return handling == Handling::kMover || handling == Handling::kConcat;
}

/// Values that integer nodes compute, directly or behind movers.
std::unordered_set<std::string> integer_results(const Context& context) {
  std::unordered_set<std::string> results;
  for (const Node& node : context.graph.nodes()) {
    const Handling handling = context.choice(node).handling;
    bool is_result = handling == Handling::kInteger;
    if (handling == Handling::kMover) is_result = results.contains(node.input(0));
    if (handling == Handling::kConcat) {
      is_result = std::all_of(node.inputs().begin(), node.inputs().end(),
                              [&](const std::string& input) { return results.contains(input); });
    }
    if (is_result) results.insert(node.outputs().begin(), node.outputs().end());
  }
  return results;
}

}  // namespace

void drop_idle_movers(Context& context) {
  const auto results = integer_results(context);
  const auto nodes = context.graph.node_list();
  // Backwards, so that readers are decided before what they read.
  for (auto position = nodes.rbegin(); position != nodes.rend(); ++position) {
    const Node& node = **position;
    NodeChoice& choice = context.choices[&node];
    if (!moves(choice.handling) || results.contains(node.output())) continue;
    const bool leads_to_integer =
        std::any_of(node.outputs().begin(), node.outputs().end(), [&](const std::string& output) {
          const auto& uses = context.graph.uses(output);
          return std::any_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
            return is_part(context.choice(*use.node).handling);
          });
        });
    if (!leads_to_integer) choice.handling = Handling::kOutside;
  }
  for (const Node* node : nodes) {
    NodeChoice& choice = context.choices[node];
    const std::string& source = node->input(0);
    if (choice.handling != Handling::kMover || results.contains(source)) continue;
    if (context.graph.producer(source) == nullptr) continue;
    const auto& uses = context.graph.uses(source);
    const bool read_as_float = std::any_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
      return reads_as_float(context, *use.node);
    });
    if (read_as_float) choice.handling = Handling::kOutside;
  }
}

void demote_islands(Context& context, Findings& findings) {
  for (const Island& island : IslandFinder(context).run()) {
    if (island.has_layer || !island.touches_float) continue;
    for (const Node* node : island.nodes) {
      NodeChoice& choice = context.choices[node];
      if (choice.handling != Handling::kInteger) continue;
      choice.handling = Handling::kFloat;
      choice.rule = nullptr;
      choice.reason = "between float nodes, with no layer to gain from integers";
      findings.push_back({"stays-float", Severity::kInfo, node->name(),
                          format("{} stays float: {}", node->op_type(), choice.reason), ""});
    }
  }
}

}  // namespace hexquant::plan
