#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "hexquant/finding.h"
#include "plan/classify.h"
#include "plan/supergroups.h"

namespace hexquant::plan {

/// Chains of nodes that the HTP runs as one operation (Conv -> Relu, MatMul -> Add -> Relu).
struct Fusions {
  std::unordered_map<const graph::Node*, const graph::Node*> tail;  ///< head -> last member
  std::unordered_map<const graph::Node*, const graph::Node*> head;  ///< member -> head
  std::unordered_set<std::string> interior;  ///< between members, fused biases: no activations
  /// MatMul -> the constant that a fused Add adds.
  std::unordered_map<const graph::Node*, std::string> bias;

  /// The last node of the chain that `node` begins; `node` itself when it is alone.
  [[nodiscard]] const graph::Node& tail_of(const graph::Node& node) const;
  [[nodiscard]] bool is_member(const graph::Node& node) const { return head.contains(&node); }
};

/// Range that a Relu or Clip with constant limits implies for its output; open ends are infinite.
/// nullopt for other operations and computed limits.
[[nodiscard]] std::optional<Range> clamp_range(const graph::Graph& graph, const graph::Node& node);

/// Finds the chains: those that the target fuses (with a configuration: those that it lists) and
/// those of `groups`. Followers of a layer that stays float stay float with it, and members run at
/// their head's width: `context.choices` is changed accordingly.
/// @param findings  gains the chains that the target is not known to fuse
[[nodiscard]] Fusions find_fusions(Context& context, const Supergroups& groups, Findings& findings);

}  // namespace hexquant::plan
