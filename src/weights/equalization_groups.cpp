#include "weights/equalization_groups.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "graph/constants.h"
#include "graph/linear_layer.h"
#include "hexquant/error.h"

namespace hexquant::weights {
namespace {

using graph::Graph;
using graph::LinearLayer;
using graph::Node;

/// Where the channels of a value lie, counted from the end.
struct Channels {
  std::int64_t count = 0;
  std::int64_t dims_after = 0;
  friend bool operator==(const Channels&, const Channels&) = default;
};

const std::vector<graph::Dim>* dims_of(const Graph& graph, const std::string& value) {
  const graph::ValueType* type = graph.find_type(value);
  return type != nullptr && type->shape ? &*type->shape : nullptr;
}

bool is_one_of(const Node& node, std::initializer_list<std::string_view> ops) {
  return std::any_of(ops.begin(), ops.end(), [&](std::string_view op) { return node.is(op); });
}

/// A limit of Clip: constant input, or attribute before opset 11; nullopt when computed.
std::optional<float> clip_limit(const Graph& graph, const Node& node, std::size_t input,
                                const char* attribute, float open) {
  const std::string& name = node.input(input);
  if (name.empty()) return node.float_attribute(attribute, open);
  const Tensor* value = graph.find_initializer(name);
  if (value == nullptr || value->size() != 1 || !is_floating(value->dtype())) return std::nullopt;
  return static_cast<float>(to_doubles(*value)[0]);
}

constexpr float kOpen = std::numeric_limits<float>::infinity();

/// Limit of a Clip that starts at 0 (infinite for a mere Relu); nullopt for other nodes.
std::optional<float> rectifier_limit(const Graph& graph, const Node& node) {
  if (node.is("Relu")) return kOpen;
  if (!node.is("Clip")) return std::nullopt;
  const auto low = clip_limit(graph, node, 1, "min", -kOpen);
  const auto high = clip_limit(graph, node, 2, "max", kOpen);
  if (!low || *low != 0.0F || !high || !(*high > 0.0F)) return std::nullopt;
  return high;
}

/// Pad with zeros along spatial axes.
bool pads_zeros(const Graph& graph, const Node& node) {
  if (!node.is("Pad") || node.string_attribute("mode", "constant") != "constant") return false;
  const auto* in = dims_of(graph, node.input(0));
  const auto* out = dims_of(graph, node.output());
  if (in == nullptr || out == nullptr || in->size() != out->size() || in->size() < 3) return false;
  if ((*in)[0] != (*out)[0] || !(*in)[1].is_fixed() || (*in)[1] != (*out)[1]) return false;
  const std::string& name = node.input(2);
  if (name.empty()) return node.float_attribute("value", 0.0F) == 0.0F;
  const Tensor* value = graph.find_initializer(name);
  return value != nullptr && value->size() == 1 && is_floating(value->dtype()) &&
         to_doubles(*value)[0] == 0.0;
}

/// The constant operand of an Add that differs along the channels only; nullopt for others.
std::optional<std::size_t> shift_operand(const Graph& graph, const Node& node,
                                         const Channels& channels) {
  for (const std::size_t index : {std::size_t{1}, std::size_t{0}}) {
    const Tensor* constant = graph.find_initializer(node.input(index));
    if (constant == nullptr || constant->dtype() != DType::kFloat32) continue;
    if (constant->size() != channels.count || graph.uses(node.input(index)).size() != 1) continue;
    const std::int64_t axis = constant->rank() - 1 - channels.dims_after;
    if (axis < 0 || constant->shape()[static_cast<std::size_t>(axis)] != channels.count) continue;
    const auto* dims = dims_of(graph, node.input(1 - index));
    if (dims == nullptr || constant->rank() > static_cast<std::int64_t>(dims->size())) continue;
    return index;
  }
  return std::nullopt;
}

class GroupFinder {
 public:
  explicit GroupFinder(const Graph& graph) : graph_(graph) {}

  std::vector<ScaleGroup> run() {
    for (const Node& node : graph_.nodes()) visit(node);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (graph_.is_output(names_[i]) || graph_.is_captured(names_[i])) blocked_[i] = true;
    }
    return collect();
  }

 private:
  struct Member {
    std::string value;      // computed by the layer or operation
    std::size_t at;         // a value of its group
    float limit = 0.0F;     // of a clip
    std::size_t other = 0;  // of a layer: a value of the group on its other side
    bool has_other = false;
  };

  void visit(const Node& node) {
    if (const auto layer = LinearLayer::find(graph_, node)) return visit_layer(*layer);
    const auto input = index_of(node.input(0));
    if (node.is("Add")) return visit_add(node);
    if (!input || !keeps_channels(node)) return block_inputs(node);
    for (std::size_t i = 1; i < node.inputs().size(); ++i) block(node.input(i));
    const std::size_t output = add_value(node.output(), output_channels(node, channels_[*input]));
    join(*input, output);
    if (const auto limit = rectifier_limit(graph_, node)) {
      rectifiers_.push_back({node.output(), output});
      if (*limit != kOpen) clips_.push_back({node.output(), output, *limit});
    }
  }

  void visit_layer(const LinearLayer& layer) {
    const Node& node = layer.node();
    const auto& in = layer.input_layout();
    const auto& out = layer.output_layout();
    const bool owned = owns(node, layer.weight_name()) && owns(node, layer.bias_name());
    const auto input = index_of(node.input(0));
    for (std::size_t i = 1; i < node.inputs().size(); ++i) block(node.input(i));
    const std::size_t output = add_value(node.output(), {out.channels, out.dims_after});
    if (!owned) blocked_[output] = true;
    producers_.push_back({node.output(), output});
    if (!input) return;
    if (!owned || channels_[*input] != Channels{in.channels, in.dims_after}) {
      blocked_[*input] = true;
    }
    producers_.back().other = *input;
    producers_.back().has_other = true;
    consumers_.push_back({node.output(), *input});
  }

  void visit_add(const Node& node) {
    const auto left = index_of(node.input(0));
    const auto right = index_of(node.input(1));
    if (left && right) {
      if (!same_shape(node.input(0), node.input(1)) || channels_[*left] != channels_[*right]) {
        return block_inputs(node);
      }
      const std::size_t output = add_value(node.output(), channels_[*left]);
      join(*left, output);
      join(*right, output);
      joins_.push_back(output);
      return;
    }
    if (!left && !right) return;
    const Channels channels = channels_[left ? *left : *right];
    const auto constant = shift_operand(graph_, node, channels);
    if (!constant || *constant != (left ? 1U : 0U)) return block_inputs(node);
    const std::size_t output = add_value(node.output(), channels);
    join(left ? *left : *right, output);
    shifts_.push_back({node.output(), output});
  }

  /// True if the node alone reads the initializer ("" = none).
  [[nodiscard]] bool owns(const Node& node, const std::string& name) const {
    if (name.empty()) return true;
    const auto& uses = graph_.uses(name);
    return uses.size() == 1 && uses[0].node == &node && !graph_.is_output(name);
  }

  [[nodiscard]] bool same_shape(const std::string& a, const std::string& b) const {
    const auto* left = dims_of(graph_, a);
    const auto* right = dims_of(graph_, b);
    return left != nullptr && right != nullptr && *left == *right;
  }

  [[nodiscard]] bool keeps_channels(const Node& node) const {
    if (rectifier_limit(graph_, node) || pads_zeros(graph_, node)) return true;
    if (is_one_of(node, {"LeakyRelu", "Identity", "Dropout", "MaxPool", "AveragePool",
                         "GlobalAveragePool", "GlobalMaxPool"})) {
      return std::all_of(node.outputs().begin() + 1, node.outputs().end(),
                         [](const std::string& name) { return name.empty(); });
    }
    if (node.is("PRelu")) return graph_.find_initializer(node.input(1)) != nullptr;
    if (node.is("ReduceMean")) return reduces_space(node);
    if (is_one_of(node, {"Flatten", "Reshape", "Squeeze"})) return drops_unit_space(node);
    return false;
  }

  /// [N, C, spatial...] with every spatial axis reduced to 1 and kept.
  [[nodiscard]] bool reduces_space(const Node& node) const {
    const auto* in = dims_of(graph_, node.input(0));
    const auto* out = dims_of(graph_, node.output());
    if (in == nullptr || out == nullptr || in->size() < 3) return false;
    if (in->size() == out->size()) {
      return (*in)[0] == (*out)[0] && (*in)[1] == (*out)[1] && (*in)[1].value != 1;
    }
    return out->size() == 2 && (*in)[0] == (*out)[0] && (*in)[1] == (*out)[1] &&
           (*in)[1].value != 1;
  }

  /// [N, C, 1, 1] -> [N, C].
  [[nodiscard]] bool drops_unit_space(const Node& node) const {
    const auto* in = dims_of(graph_, node.input(0));
    const auto* out = dims_of(graph_, node.output());
    if (in == nullptr || out == nullptr || in->size() < 3 || out->size() != 2) return false;
    return (*in)[1] == (*out)[1] && (*in)[1].is_fixed() &&
           std::all_of(in->begin() + 2, in->end(),
                       [](const graph::Dim& dim) { return dim.value == 1; });
  }

  [[nodiscard]] Channels output_channels(const Node& node, const Channels& input) const {
    const auto* in = dims_of(graph_, node.input(0));
    const auto* out = dims_of(graph_, node.output());
    if (in == nullptr || out == nullptr || in->size() == out->size()) return input;
    return {input.count, 0};
  }

  // ---- values and union-find
  [[nodiscard]] std::optional<std::size_t> index_of(const std::string& name) const {
    const auto found = index_.find(name);
    if (found == index_.end()) return std::nullopt;
    return found->second;
  }
  std::size_t add_value(const std::string& name, const Channels& channels) {
    index_[name] = names_.size();
    parent_.push_back(names_.size());
    names_.push_back(name);
    channels_.push_back(channels);
    blocked_.push_back(false);
    return names_.size() - 1;
  }
  [[nodiscard]] std::size_t root(std::size_t i) const {
    while (parent_[i] != i) i = parent_[i];
    return i;
  }
  void join(std::size_t a, std::size_t b) {
    const std::size_t low = std::min(root(a), root(b));
    parent_[root(a)] = low;
    parent_[root(b)] = low;
  }
  void block(const std::string& name) {
    if (const auto at = index_of(name)) blocked_[*at] = true;
  }
  void block_inputs(const Node& node) {
    for (const std::string& input : node.inputs()) block(input);
  }

  std::vector<ScaleGroup> collect() {
    std::map<std::size_t, ScaleGroup> groups;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      ScaleGroup& group = groups[root(i)];
      group.channels = channels_[i].count;
      group.values.push_back(names_[i]);
      group.axes.push_back(static_cast<int>(-1 - channels_[i].dims_after));
    }
    for (const Member& layer : producers_) {
      groups[root(layer.at)].producers.push_back(layer.value);
      if (layer.has_other && root(layer.other) == root(layer.at)) blocked_[layer.at] = true;
    }
    for (const Member& layer : consumers_) {
      groups[root(layer.at)].consumers.push_back(layer.value);
    }
    for (const Member& shift : shifts_) groups[root(shift.at)].shifts.push_back(shift.value);
    for (const Member& clip : clips_) {
      groups[root(clip.at)].clips.push_back({clip.value, clip.limit});
    }
    for (const Member& node : rectifiers_) groups[root(node.at)].rectifiers.push_back(node.value);
    for (const std::size_t join : joins_) groups[root(join)].has_joins = true;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (blocked_[i]) groups.erase(root(i));
    }
    std::vector<ScaleGroup> result;
    for (auto& [at, group] : groups) {
      if (!group.producers.empty() && !group.consumers.empty()) result.push_back(std::move(group));
    }
    return result;
  }

  const Graph& graph_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<std::string> names_;
  std::vector<Channels> channels_;
  std::vector<std::size_t> parent_;
  std::vector<bool> blocked_;
  std::vector<Member> producers_;
  std::vector<Member> consumers_;
  std::vector<Member> shifts_;
  std::vector<Member> clips_;
  std::vector<Member> rectifiers_;
  std::vector<std::size_t> joins_;
};

LinearLayer layer_at(const Graph& graph, const std::string& output) {
  const Node* node = graph.producer(output);
  HEXQUANT_CHECK(node != nullptr, "no layer computes '" + output + "'");
  auto layer = LinearLayer::find(graph, *node);
  HEXQUANT_CHECK(layer.has_value(), "node '" + node->name() + "' is no linear layer");
  return *layer;
}

void scale_shift(Graph& graph, const std::string& output, const std::vector<double>& factor) {
  const Node& node = *graph.producer(output);
  for (const std::string& name : node.inputs()) {
    const Tensor* found = graph.find_initializer(name);
    if (found == nullptr) continue;
    Tensor constant = *found;
    const auto values = constant.mutable_data<float>();
    for (std::size_t c = 0; c < values.size(); ++c) {
      values[c] = static_cast<float>(static_cast<double>(values[c]) * factor[c]);
    }
    graph.set_initializer(name, std::move(constant));
  }
}

}  // namespace

std::vector<ScaleGroup> find_scale_groups(const Graph& graph) {
  return GroupFinder(graph).run();
}

void apply_scales(Graph& graph, const ScaleGroup& group, const std::vector<double>& scale) {
  std::vector<double> inverse;
  for (const double s : scale) inverse.push_back(1.0 / s);
  for (const std::string& output : group.producers) {
    const LinearLayer layer = layer_at(graph, output);
    layer.scale_weight(graph, inverse, {});
    if (layer.bias_name().empty()) continue;
    std::vector<double> bias = layer.bias(graph);
    for (std::size_t c = 0; c < bias.size(); ++c) bias[c] *= inverse[c];
    layer.set_bias(graph, bias);
  }
  for (const std::string& output : group.shifts) scale_shift(graph, output, inverse);
  for (const std::string& output : group.consumers) {
    layer_at(graph, output).scale_weight(graph, {}, scale);
  }
}

}  // namespace hexquant::weights
