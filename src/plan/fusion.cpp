#include "plan/fusion.h"

#include <algorithm>
#include <limits>

#include "core/format.h"
#include "plan/weight_choice.h"

namespace hexquant::plan {
namespace {

using graph::Graph;
using graph::Node;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool lists(const std::vector<std::string>& ops, const Node& node) {
  return std::find(ops.begin(), ops.end(), target::op_key(node)) != ops.end();
}

/// A limit of Clip: constant scalar input, or attribute before opset 11. nullopt when computed.
std::optional<float> clip_limit(const Graph& graph, const Node& node, std::size_t input,
                                const char* attribute, float open) {
  const std::string& name = node.input(input);
  if (name.empty()) return node.float_attribute(attribute, open);
  const Tensor* value = graph.find_initializer(name);
  if (value == nullptr || value->size() != 1 || !is_floating(value->dtype())) return std::nullopt;
  return static_cast<float>(to_doubles(*value)[0]);
}

/// Relu, or Clip from 0: the quantized output's range and zero point say the same.
bool implied_by_range(const Graph& graph, const Node& tail) {
  const auto range = clamp_range(graph, tail);
  return range && range->min == 0.0F && range->max > 0.0F;
}

/// The constant [N] that `add` adds to the product of `matmul` with a constant [K, N] matrix.
const std::string* constant_bias(const Graph& graph, const Node& matmul, const Node& add) {
  const Tensor* weight = graph.find_initializer(matmul.input(1));
  if (weight == nullptr || weight->rank() != 2) return nullptr;
  const std::size_t other = add.input(0) == matmul.output() ? 1 : 0;
  const Tensor* bias = graph.find_initializer(add.input(other));
  if (bias == nullptr || bias->dtype() != DType::kFloat32) return nullptr;
  const bool fits = bias->rank() == 1 && bias->size() == weight->shape()[1];
  return fits && graph.uses(add.input(other)).size() == 1 ? &add.inputs()[other] : nullptr;
}

class FusionFinder {
 public:
  FusionFinder(Context& context, const Supergroups& groups, Findings& findings)
      : context_(context), groups_(groups), findings_(findings) {}

  Fusions run() {
    for (const Node& node : context_.graph.nodes()) {
      const Node* next = context_.graph.single_consumer(node.output());
      if (next == nullptr || node.outputs().size() != 1) continue;
      const bool is_asked = groups_.joined.contains({&node, next});
      if (!context_.is_integer(*next) && !(is_asked && is_mover(*next))) continue;
      if (groups_.separate.contains({&node, next})) continue;
      const bool is_native = join_by_rules(node, *next, is_asked);
      if (is_asked && !is_native && join_pair(node, *next, nullptr)) report_foreign(node, *next);
    }
    return std::move(fusions_);
  }

 private:
  [[nodiscard]] bool is_mover(const Node& node) const {
    return context_.choice(node).handling == Handling::kMover;
  }

  /// A configuration takes the place of the target's rules, except that it says by name whether a
  /// product takes its bias along.
  [[nodiscard]] bool applies(const target::FusionRule& rule, bool is_asked) const {
    if (rule.when == "constant_bias") return is_asked || context_.config.runs_pass("MatmulAdd");
    return is_asked || !context_.config.given();
  }

  bool join_by_rules(const Node& node, const Node& next, bool is_asked) {
    for (const target::FusionRule& rule : context_.target.rules.fused) {
      if (!lists(rule.heads, node) || !lists(rule.tails, next)) continue;
      if (applies(rule, is_asked) && try_join(node, next, rule)) return true;
    }
    return false;
  }

  void report_foreign(const Node& node, const Node& next) {
    findings_.push_back(
        {"supergroup-not-native", Severity::kWarning, next.name(),
         format("nothing is quantized between {} and {}, but the HTP is not known to run them as "
                "one",
                node.op_type(), next.op_type()),
         "check the placement on the device, or leave this supergroup out"});
  }

  bool try_join(const Node& node, const Node& next, const target::FusionRule& rule) {
    const std::string* bias = nullptr;
    if (rule.when == "constant_bias") {
      bias = constant_bias(context_.graph, node, next);
      if (bias == nullptr) return false;
    } else if (!implied_by_range(context_.graph, next)) {
      return false;
    }
    return join_pair(node, next, bias);
  }

  bool join_pair(const Node& node, const Node& next, const std::string* bias) {
    const NodeChoice& choice = context_.choice(node);
    if (choice.handling == Handling::kFloat) {
      follow_into_float(next, choice);
      return true;
    }
    if (choice.handling != Handling::kInteger) return false;
    if (bias != nullptr && has_blocks(node)) return false;
    const auto found = fusions_.head.find(&node);
    const Node* head = found == fusions_.head.end() ? &node : found->second;
    fusions_.head[&next] = head;
    fusions_.tail[head] = &next;
    fusions_.interior.insert(node.output());
    if (bias != nullptr) {
      fusions_.bias[head] = *bias;
      fusions_.interior.insert(*bias);
    }
    NodeChoice& follower = context_.choices[&next];
    follower.act_bits = choice.act_bits;
    follower.handling = Handling::kInteger;  // a mover inside a chain has no codes to move
    return true;
  }

  /// The HTP computes block-quantized MatMul in float16, and no bias with it.
  [[nodiscard]] bool has_blocks(const Node& matmul) const {
    const Tensor& weight = *context_.graph.find_initializer(matmul.input(1));
    return choose_weights(context_, matmul, weight).granularity == Granularity::kGroup;
  }

  void follow_into_float(const Node& next, const NodeChoice& choice) {
    NodeChoice& follower = context_.choices[&next];
    follower.handling = Handling::kFloat;
    follower.rule = nullptr;
    follower.reason = choice.reason;
  }

  Context& context_;
  const Supergroups& groups_;
  Findings& findings_;
  Fusions fusions_;
};

}  // namespace

const Node& Fusions::tail_of(const Node& node) const {
  const auto found = tail.find(&node);
  return found == tail.end() ? node : *found->second;
}

std::optional<Range> clamp_range(const Graph& graph, const Node& node) {
  if (node.is("Relu")) return Range{0.0F, kInfinity};
  if (!node.is("Clip")) return std::nullopt;
  const auto min = clip_limit(graph, node, 1, "min", -kInfinity);
  const auto max = clip_limit(graph, node, 2, "max", kInfinity);
  if (!min || !max) return std::nullopt;
  return Range{*min, *max};
}

Fusions find_fusions(Context& context, const Supergroups& groups, Findings& findings) {
  return FusionFinder(context, groups, findings).run();
}

}  // namespace hexquant::plan
