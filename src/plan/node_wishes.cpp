#include "plan/node_wishes.h"

#include <algorithm>
#include <initializer_list>

#include "core/format.h"
#include "hexquant/error.h"
#include "plan/classify.h"
#include "plan/fusion.h"
#include "plan/sharing.h"

namespace hexquant::plan {
namespace {

using graph::Graph;
using graph::Node;

void check_bits(const TensorOverride& one, const std::string& tensor,
                std::initializer_list<int> allowed) {
  if (std::find(allowed.begin(), allowed.end(), one.bits) != allowed.end()) return;
  throw Error(ErrorCode::kInvalidArgument, format("override of '{}': {} bits: expected {}", tensor,
                                                  one.bits, join(allowed, ", ")));
}

/// Constant that the layer multiplies with, or that a Gather takes its rows from; empty = none.
std::string weight_name(const Graph& graph, const target::OpRule& rule, const Node& node) {
  const std::size_t input = rule.weight ? static_cast<std::size_t>(rule.weight->input) : 0;
  const bool has_weight = rule.weight || rule.role == target::OpRole::kMover;
  const std::string& name = node.input(input);
  return has_weight && graph.find_initializer(name) != nullptr ? name : "";
}

/// Widths that overrides ask for, group by group.
class WidthCollector {
 public:
  WidthCollector(const Context& context, const Fusions& fusions, const Sharing& sharing,
                 NodeWishes& wishes)
      : context_(context), fusions_(fusions), sharing_(sharing), wishes_(wishes) {
    for (const SharingGroup& group : sharing.groups()) {
      if (const TensorOverride* one = override_of(context, group)) bits_[&group] = one->bits;
    }
  }

  void run() {
    for (const Node& node : context_.graph.nodes()) {
      if (!context_.is_integer(node)) continue;
      for (const std::string& output : float_outputs(context_.graph, node)) {
        const int bits = bits_of(output);
        if (bits != 0) wishes_[&head_of(node)].act_bits = bits;
      }
    }
    for (const Node& node : context_.graph.nodes()) {
      if (!context_.is_integer(node)) continue;
      NodeWish& wish = wishes_[&head_of(node)];
      for (const int index : activation_inputs(context_, node)) {
        const int bits = bits_of(node.input(static_cast<std::size_t>(index)));
        wish.input_act_bits = std::max(wish.input_act_bits, bits);
      }
    }
  }

 private:
  [[nodiscard]] const Node& head_of(const Node& node) const {
    const auto found = fusions_.head.find(&node);
    return found == fusions_.head.end() ? node : *found->second;
  }

  [[nodiscard]] int bits_of(const std::string& value) const {
    if (fusions_.interior.contains(value)) return 0;
    const auto found = bits_.find(sharing_.find(value));
    return found == bits_.end() ? 0 : found->second;
  }

  const Context& context_;
  const Fusions& fusions_;
  const Sharing& sharing_;
  NodeWishes& wishes_;
  std::unordered_map<const SharingGroup*, int> bits_;
};

}  // namespace

NodeWishes wishes_of_names(const Graph& graph, const target::Rules& rules,
                           const TensorOverrides& overrides) {
  NodeWishes wishes;
  if (overrides.empty()) return wishes;
  for (const Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) {
      const TensorOverride* one = overrides.find(output);
      if (one != nullptr && one->is_float) wishes[&node].float_tensor = output;
    }
    const target::OpRule* rule = target::find_rule(rules, node);
    if (rule == nullptr) continue;
    const std::string name = weight_name(graph, *rule, node);
    const TensorOverride* one = name.empty() ? nullptr : overrides.find(name);
    if (one == nullptr) continue;
    if (one->is_float) {
      wishes[&node].float_tensor = name;
    } else {
      check_bits(*one, name, {4, 8, 16});
      wishes[&node].weight_bits = one->bits;
    }
  }
  return wishes;
}

void add_activation_wishes(const Context& context, const Fusions& fusions, const Sharing& sharing,
                           NodeWishes& wishes) {
  for (const SharingGroup& group : sharing.groups()) {
    const TensorOverride* one = override_of(context, group);
    const bool is_table = context.graph.find_initializer(group.representative) != nullptr;
    if (one != nullptr && !is_table) check_bits(*one, group.representative, {8, 16});
  }
  WidthCollector(context, fusions, sharing, wishes).run();
}

}  // namespace hexquant::plan
