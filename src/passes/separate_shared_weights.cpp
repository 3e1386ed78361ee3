#include "passes/separate_shared_weights.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/format.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::Use;

/// Kinds of use that may share an encoding have the same key; "" = an ordinary tensor.
std::string encoding_key(const Use& use) {
  const Node& node = *use.node;
  static const std::set<std::string> kBiased = {"Conv",
                                                "ConvTranspose",
                                                "Gemm",
                                                "GroupNormalization",
                                                "InstanceNormalization",
                                                "LayerNormalization",
                                                "BatchNormalization"};
  if (use.index == Use::kCaptured || !node.domain().empty()) return "";
  if (use.index == 2 && kBiased.contains(node.op_type())) return format("bias of {}", node.name());
  if (use.index != 1) return "";
  if (node.is("Conv")) return "weight, axis 0";
  if (node.is("ConvTranspose")) {
    return format("weight, axis 1, {} groups", node.int_attribute("group", 1));
  }
  if (node.is("Gemm"))
    return node.int_attribute("transB", 0) != 0 ? "weight, axis 0" : "weight, axis 1";
  if (node.is("MatMul")) return "weight, axis 1";
  return "";
}

/// Uses of a constant by what they need, in graph order of the first use.
std::vector<std::pair<std::string, std::vector<Use>>> group_uses(
    const std::vector<Use>& uses, const std::map<const Node*, int>& order) {
  std::vector<Use> sorted = uses;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const Use& a, const Use& b) { return order.at(a.node) < order.at(b.node); });
  std::vector<std::pair<std::string, std::vector<Use>>> groups;
  for (const Use& use : sorted) {
    const std::string key = encoding_key(use);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& entry) { return entry.first == key; });
    if (group == groups.end()) group = groups.insert(groups.end(), {key, {}});
    group->second.push_back(use);
  }
  // What subgraphs read keeps the name: their group comes first.
  const auto captured = std::find_if(groups.begin(), groups.end(), [](const auto& entry) {
    return std::any_of(entry.second.begin(), entry.second.end(),
                       [](const Use& use) { return use.index == Use::kCaptured; });
  });
  if (captured != groups.end()) std::rotate(groups.begin(), captured, captured + 1);
  return groups;
}

}  // namespace

PassReport separate_shared_weights(Graph& graph) {
  PassReport report{"separate_shared_weights", {}, {}};
  graph.sort();
  std::map<const Node*, int> order;
  for (const Node& node : graph.nodes()) order.emplace(&node, static_cast<int>(order.size()));
  std::vector<std::string> shared;
  for (const auto& [name, tensor] : graph.initializers()) {
    if (is_floating(tensor.dtype()) && graph.uses(name).size() > 1) shared.push_back(name);
  }
  for (const std::string& name : shared) {
    const auto groups = group_uses(graph.uses(name), order);
    for (std::size_t i = 1; i < groups.size(); ++i) {
      const std::string copy = graph.unique_name(name);
      graph.add_initializer(copy, *graph.find_initializer(name));
      for (const Use& use : groups[i].second) {
        graph.set_input(*use.node, static_cast<std::size_t>(use.index), copy);
      }
      report.applied_to.push_back(copy);
    }
  }
  return report;
}

}  // namespace hexquant::passes
