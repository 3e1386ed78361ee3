#include "plan/supergroups.h"

#include <string>
#include <vector>

#include "core/format.h"

namespace hexquant::plan {
namespace {

using graph::Graph;
using graph::Node;

/// The nodes of a chain that begins with `node`; empty when there is none.
std::vector<const Node*> match_chain(const Graph& graph, const Node& node,
                                     const std::vector<std::string>& op_list) {
  std::vector<const Node*> chain = {&node};
  if (node.op_type() != op_list.front()) return {};
  while (chain.size() < op_list.size()) {
    if (chain.back()->outputs().size() != 1) return {};
    const Node* next = graph.single_consumer(chain.back()->output());
    if (next == nullptr || next->op_type() != op_list[chain.size()]) return {};
    chain.push_back(next);
  }
  return chain;
}

std::vector<std::vector<const Node*>> find_chains(const Graph& graph,
                                                  const std::vector<std::string>& op_list) {
  std::vector<std::vector<const Node*>> chains;
  for (const Node& node : graph.nodes()) {
    auto chain = match_chain(graph, node, op_list);
    if (!chain.empty()) chains.push_back(std::move(chain));
  }
  return chains;
}

void add_pairs(const std::vector<const Node*>& chain, std::set<Supergroups::Pair>& to,
               std::set<Supergroups::Pair>& from) {
  for (std::size_t i = 1; i < chain.size(); ++i) {
    const Supergroups::Pair pair = {chain[i - 1], chain[i]};
    to.insert(pair);
    from.erase(pair);
  }
}

void report(const formats::Supergroup& group, std::size_t places, const PlanOptions& options,
            Findings& findings) {
  const std::string where = format("{}", join(group.op_list, ", "));
  const std::string& origin = options.overrides->origin;
  if (places > 0) {
    findings.push_back({"supergroup-matched", Severity::kInfo, where,
                        format("supergroup of {}: {} places, {}", origin, places,
                               group.fuse ? "nothing is quantized inside"
                                          : "a quantized value behind each operation"),
                        ""});
    return;
  }
  if (options.original != nullptr && !find_chains(*options.original, group.op_list).empty()) {
    findings.push_back({"supergroup-folded", group.fuse ? Severity::kInfo : Severity::kWarning,
                        where,
                        format("supergroup of {}: the preparation has folded these operations "
                               "into one{}",
                               origin, group.fuse ? "" : ", so nothing can be quantized between"),
                        ""});
    return;
  }
  findings.push_back({"supergroup-unmatched", Severity::kWarning, where,
                      format("supergroup of {}: these operations do not follow one another "
                             "anywhere in the model",
                             origin),
                      "operation types are those of ONNX, as in hexquant info --prepared"});
}

}  // namespace

Supergroups find_supergroups(const Graph& graph, const PlanOptions& options, Findings& findings) {
  Supergroups groups;
  if (options.config) {
    for (const auto& op_list : options.config->supergroups) {
      for (const auto& chain : find_chains(graph, op_list)) {
        add_pairs(chain, groups.joined, groups.separate);
      }
    }
  }
  if (!options.overrides) return groups;
  for (const formats::Supergroup& group : options.overrides->supergroups) {
    const auto chains = find_chains(graph, group.op_list);
    for (const auto& chain : chains) {
      if (group.fuse) {
        add_pairs(chain, groups.joined, groups.separate);
      } else {
        add_pairs(chain, groups.separate, groups.joined);
      }
    }
    report(group, chains.size(), options, findings);
  }
  return groups;
}

}  // namespace hexquant::plan
