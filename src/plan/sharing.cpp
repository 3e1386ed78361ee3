#include "plan/sharing.h"

#include <algorithm>
#include <limits>

#include "graph/integer_input.h"

namespace hexquant::plan {
namespace {

using graph::Node;

constexpr Range kUnbounded = {-std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::infinity()};

Range hull(const Range& a, const Range& b) {
  return {std::min(a.min, b.min), std::max(a.max, b.max)};
}

Range intersection(const Range& a, const Range& b) {
  return {std::max(a.min, b.min), std::min(a.max, b.max)};
}

bool contains(const Range& outer, const Range& inner) {
  return outer.min <= inner.min && inner.max <= outer.max;
}

/// Resize by cubic convolution overshoots its input; all other movers stay within it.
bool keeps_bounds(const Node& node) {
  return !(node.is("Resize") && node.string_attribute("mode", "nearest") == "cubic");
}

}  // namespace

const TensorOverride* override_of(const Context& context, const SharingGroup& group) {
  const auto find = [&](const std::string& member) {
    const TensorOverride* one = context.overrides.find(member);
    return one != nullptr && !one->is_float ? one : nullptr;
  };
  if (const TensorOverride* one = find(group.representative)) return one;
  for (const std::string& member : group.members) {
    if (const TensorOverride* one = find(member)) return one;
  }
  return nullptr;
}

Sharing::Sharing(const Context& context, const Fusions& fusions) : context_(context) {
  for (const Node& node : context.graph.nodes()) {
    switch (context.choice(node).handling) {
      case Handling::kInteger:
        add_compute(node, fusions);
        break;
      case Handling::kMover:
        add_mover(node, fusions);
        break;
      case Handling::kConcat:
        add_concat(node, fusions);
        break;
      case Handling::kFloat:
      case Handling::kOutside:
        break;
    }
  }
  mark_carriers(fusions);
  std::erase_if(groups_, [](const SharingGroup& group) { return group.members.empty(); });
  index_.clear();
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    for (const std::string& member : groups_[i].members) index_[member] = i;
  }
}

const SharingGroup* Sharing::find(const std::string& value) const {
  const auto found = index_.find(value);
  return found == index_.end() ? nullptr : &groups_[found->second];
}

std::size_t Sharing::group_index(const std::string& value) {
  const auto [position, is_new] = index_.try_emplace(value, groups_.size());
  if (is_new) {
    SharingGroup group;
    group.representative = value;
    group.members = {value};
    groups_.push_back(std::move(group));
    complete_[value] = true;
  }
  return position->second;
}

Range Sharing::bounds_of(const std::string& value) const {
  const auto found = bounds_.find(value);
  return found == bounds_.end() ? kUnbounded : found->second;
}

void Sharing::add_compute(const Node& node, const Fusions& fusions) {
  const NodeChoice& choice = context_.choice(node);
  for (const int index : activation_inputs(context_, node)) {
    const std::string& value = node.input(static_cast<std::size_t>(index));
    if (!fusions.interior.contains(value)) (void)group_index(value);
  }
  const auto clamp = clamp_range(context_.graph, node);
  for (const std::string& output : float_outputs(context_.graph, node)) {
    if (fusions.interior.contains(output)) continue;
    SharingGroup& group = groups_[group_index(output)];
    group.producer_bits = choice.act_bits;
    group.fixed_range = context_.config.fixed_range(node, *choice.rule);
    group.limits = context_.config.range_limits(node);
    if (clamp) bounds_[output] = *clamp;
    if (clamp && fusions.is_member(node)) group.promised = clamp;
    if (group.fixed_range) bounds_[output] = *group.fixed_range;
  }
}

void Sharing::add_mover(const Node& node, const Fusions& fusions) {
  // What is not quantized shares nothing: values behind it begin anew.
  if (fusions.interior.contains(node.input(0))) {
    for (const std::string& output : float_outputs(context_.graph, node)) {
      if (!fusions.interior.contains(output)) (void)group_index(output);
    }
    return;
  }
  const std::string& source = node.input(0);
  const std::size_t index = group_index(source);
  groups_[index].movers.push_back(&node);
  const bool complete = complete_[source] && context_.choice(node).rule->keeps_all;
  for (const std::string& output : float_outputs(context_.graph, node)) {
    index_[output] = index;
    groups_[index].members.push_back(output);
    complete_[output] = complete;
    if (bounds_.contains(source) && keeps_bounds(node)) bounds_[output] = bounds_[source];
  }
}

/// Inputs of which the output holds every element take the output's encoding. The others (one part
/// of a Split, say) keep theirs; the HTP rescales them while it copies.
void Sharing::add_concat(const Node& node, const Fusions& fusions) {
  if (fusions.interior.contains(node.output())) return;
  const std::size_t to = group_index(node.output());
  groups_[to].movers.push_back(&node);
  Range all = {kUnbounded.max, kUnbounded.min};
  bool equal_fixed = true;
  std::vector<std::string> inputs = node.inputs();
  std::erase_if(inputs, [&](const std::string& input) { return fusions.interior.contains(input); });
  if (inputs.empty()) return;
  const auto first_fixed = groups_[group_index(inputs.front())].fixed_range;
  for (const std::string& input : inputs) {
    all = hull(all, bounds_of(input));
    equal_fixed =
        equal_fixed && first_fixed && groups_[group_index(input)].fixed_range == first_fixed;
  }
  bounds_[node.output()] = all;
  if (equal_fixed) groups_[to].fixed_range = first_fixed;
  for (const std::string& input : inputs) {
    const std::size_t from = group_index(input);
    if (may_join(from, to, input, all)) merge(from, to);
  }
}

bool Sharing::may_join(std::size_t from, std::size_t to, const std::string& value,
                       const Range& range) const {
  if (from == to || !complete_.at(value)) return false;
  // The application's encoding stays what it is.
  if (graph::integer_input(context_.graph, groups_[from].representative)) return false;
  const TensorOverride* here = override_of(context_, groups_[from]);
  const TensorOverride* there = override_of(context_, groups_[to]);
  if (here != nullptr && there != nullptr && here->encoding != there->encoding) return false;
  const SharingGroup& source = groups_[from];
  const SharingGroup& concat = groups_[to];
  if (source.fixed_range != concat.fixed_range) return false;
  if (source.promised && !contains(*source.promised, range)) return false;
  return source.producer_bits == 0 || concat.producer_bits == 0 ||
         source.producer_bits == concat.producer_bits;
}

void Sharing::merge(std::size_t from, std::size_t to) {
  SharingGroup& source = groups_[from];
  SharingGroup& target = groups_[to];
  for (const std::string& member : source.members) {
    index_[member] = to;
    complete_[member] = false;
    target.members.push_back(member);
  }
  target.movers.insert(target.movers.end(), source.movers.begin(), source.movers.end());
  target.producer_bits = std::max(target.producer_bits, source.producer_bits);
  if (source.promised) {
    target.promised =
        target.promised ? intersection(*target.promised, *source.promised) : *source.promised;
  }
  source = SharingGroup();
}

void Sharing::mark_carriers(const Fusions& fusions) {
  for (SharingGroup& group : groups_) group.carries = group.producer_bits != 0;
  for (const Node& node : context_.graph.nodes()) {
    if (!context_.is_integer(node)) continue;
    for (const int index : activation_inputs(context_, node)) {
      const std::string& value = node.input(static_cast<std::size_t>(index));
      if (!fusions.interior.contains(value)) groups_[group_index(value)].carries = true;
    }
  }
  // A Concat with an encoded output needs encoded inputs. Backwards, so that chains are followed.
  const auto nodes = context_.graph.node_list();
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    if (context_.choice(**node).handling != Handling::kConcat) continue;
    if (fusions.interior.contains((*node)->output())) continue;
    if (!groups_[group_index((*node)->output())].carries) continue;
    for (const std::string& input : (*node)->inputs()) {
      if (!fusions.interior.contains(input)) groups_[group_index(input)].carries = true;
    }
  }
}

}  // namespace hexquant::plan
