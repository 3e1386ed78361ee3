#include "passes/fold_batch_norm.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/format.h"
#include "passes/channel_affine.h"
#include "passes/graph_match.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

/// Consecutive affine nodes and what they do together.
struct Chain {
  ChannelAffine affine;
  Nodes nodes;  // backward: in data order; forward: nearest to the layer first
};

Chain chain_after(const Graph& graph, const LinearLayer& layer) {
  Chain chain{identity_affine(layer.output_layout().channels), {}};
  std::string value = layer.node().output();
  while (const Node* next = graph.single_consumer(value)) {
    if (affine_input(graph, *next) != value) break;
    const auto affine = channel_affine(graph, *next, layer.output_layout());
    if (!affine) break;
    chain.affine = compose(*affine, chain.affine);
    chain.nodes.push_back(next);
    value = next->output();
  }
  return chain;
}

Chain chain_before(const Graph& graph, const LinearLayer& layer) {
  Chain chain{identity_affine(layer.input_layout().channels), {}};
  std::string value = layer.node().input(0);
  while (const Node* node = graph.producer(value)) {
    if (graph.single_consumer(value) == nullptr || affine_input(graph, *node).empty()) break;
    const auto affine = channel_affine(graph, *node, layer.input_layout());
    if (!affine) break;
    chain.affine = compose(chain.affine, *affine);
    chain.nodes.push_back(node);
    value = affine_input(graph, *node);
  }
  return chain;
}

void erase_chain(Graph& graph, const Nodes& nodes) {
  for (const Node* node : nodes) graph.erase_node(*node);
}

/// `layer` takes over the name of the chain's result.
void take_over_output(Graph& graph, const Node& layer, const Nodes& nodes) {
  const std::string output = nodes.back()->output();
  graph.erase_type(layer.output());
  for (const Node* node : nodes) {
    if (node->output() != output) graph.erase_type(node->output());
  }
  erase_chain(graph, nodes);
  graph.set_output(layer, 0, output);
}

/// Initializer that adds `shift` to an activation of this layout: one number where all are equal.
std::string add_shift(Graph& graph, const std::string& base, const std::vector<double>& shift,
                      const ChannelLayout& layout) {
  std::vector<float> values(shift.begin(), shift.end());
  Shape shape(static_cast<std::size_t>(layout.dims_after) + 1, 1);
  const bool uniform = std::all_of(values.begin(), values.end(),
                                   [&](float value) { return value == values.front(); });
  if (uniform) {
    values.resize(1);
    shape.clear();
  } else {
    shape.front() = layout.channels;
  }
  const std::string name = graph.unique_name(base);
  graph.add_initializer(name, Tensor::from(shape, values));
  return name;
}

/// Replaces the chain by one Add of `input` and `shift`, named and placed like its last node.
void leave_add(Graph& graph, const Nodes& chain, const Node& last, const std::string& input,
               const std::string& shift) {
  replace_nodes(graph, chain, last, {.op_type = "Add", .inputs = {input, shift}, .outputs = {}});
}

/// The BatchNormalization that begins a chain, if it is the only one of it.
std::optional<FoldedNorm> norm_of(const Graph& graph, const LinearLayer& layer,
                                  const Chain& chain) {
  const Node& first = *chain.nodes.front();
  const auto norms = std::count_if(chain.nodes.begin(), chain.nodes.end(),
                                   [](const Node* node) { return node->is("BatchNormalization"); });
  if (!first.is("BatchNormalization") || norms != 1) return std::nullopt;
  FoldedNorm norm;
  norm.layer = layer.node().name();
  norm.epsilon = first.float_attribute("epsilon", 1e-5F);
  const std::vector<double> mean = to_doubles(*graph.find_initializer(first.input(3)));
  const std::vector<double> variance = to_doubles(*graph.find_initializer(first.input(4)));
  for (std::size_t c = 0; c < mean.size(); ++c) {
    norm.deviation.push_back(std::sqrt(variance[c] + norm.epsilon));
    norm.gamma.push_back(chain.affine.scale[c] * norm.deviation[c]);
    norm.beta.push_back(chain.affine.shift[c] + chain.affine.scale[c] * mean[c]);
  }
  return norm;
}

bool fold_backward(Graph& graph, const LinearLayer& layer, std::vector<FoldedNorm>& norms) {
  const Chain chain = chain_after(graph, layer);
  if (chain.nodes.empty()) return false;
  if (!layer.takes_bias()) {
    if (!chain.affine.has_scale() && chain.nodes.size() == 1) return false;
    layer.scale_weight(graph, chain.affine.scale, {});
    if (chain.affine.has_shift()) {
      const std::string shift = add_shift(graph, layer.node().name() + "_bias", chain.affine.shift,
                                          layer.output_layout());
      leave_add(graph, chain.nodes, *chain.nodes.back(), layer.node().output(), shift);
    } else {
      take_over_output(graph, layer.node(), chain.nodes);
    }
    return true;
  }
  if (auto norm = norm_of(graph, layer, chain)) norms.push_back(std::move(*norm));
  std::vector<double> bias = layer.bias(graph);
  for (std::size_t c = 0; c < bias.size(); ++c) {
    bias[c] = chain.affine.scale[c] * bias[c] + chain.affine.shift[c];
  }
  if (chain.affine.has_scale()) layer.scale_weight(graph, chain.affine.scale, {});
  layer.set_bias(graph, bias);
  take_over_output(graph, layer.node(), chain.nodes);
  return true;
}

/// s x + t = s (x + t / s): the layer takes s, one Add of t / s stays.
bool fold_scale_forward(Graph& graph, const LinearLayer& layer, const Chain& chain) {
  const auto& [scale, shift] = chain.affine;
  const bool invertible =
      std::none_of(scale.begin(), scale.end(), [](double factor) { return factor == 0.0; });
  if (chain.nodes.size() < 2 || !invertible) return false;
  std::vector<double> offset = shift;
  for (std::size_t c = 0; c < offset.size(); ++c) offset[c] /= scale[c];
  const std::string source = affine_input(graph, *chain.nodes.back());
  const Node& last = *chain.nodes.front();
  const std::string name = add_shift(graph, last.name() + "_shift", offset, layer.input_layout());
  layer.scale_weight(graph, {}, scale);
  leave_add(graph, chain.nodes, last, source, name);
  return true;
}

bool fold_forward(Graph& graph, const LinearLayer& layer) {
  const Chain chain = chain_before(graph, layer);
  if (chain.nodes.empty()) return false;
  if (chain.affine.has_shift()) {
    if (!layer.takes_bias() || layer.is_padded()) return fold_scale_forward(graph, layer, chain);
    std::vector<double> bias = layer.bias(graph);
    const std::vector<double> response = layer.response_to_shift(graph, chain.affine.shift);
    for (std::size_t o = 0; o < bias.size(); ++o) bias[o] += response[o];
    layer.set_bias(graph, bias);
  }
  if (chain.affine.has_scale()) layer.scale_weight(graph, {}, chain.affine.scale);
  graph.set_input(layer.node(), 0, affine_input(graph, *chain.nodes.back()));
  for (const Node* node : chain.nodes) {
    graph.erase_type(node->output());
    graph.erase_node(*node);
  }
  return true;
}

std::string why_kept(const Graph& graph, const Node& batch_norm) {
  if (affine_input(graph, batch_norm).empty()) return "it is in training mode";
  const Node* before = graph.producer(batch_norm.input(0));
  if (before == nullptr) return "it stands at the model's input";
  if (!LinearLayer::find(graph, *before)) {
    return format("node '{}' ({}) before it cannot take its factors", before->name(),
                  before->op_type());
  }
  if (graph.single_consumer(batch_norm.input(0)) == nullptr) {
    return format("its input '{}' is read elsewhere too", batch_norm.input(0));
  }
  return "its parameters are no finite float constants of the layer's channels";
}

void report_kept(const Graph& graph, PassReport& report) {
  for (const Node& node : graph.nodes()) {
    if (!node.is("BatchNormalization")) continue;
    report.findings.push_back({"batch-norm-kept", Severity::kInfo, node.name(),
                               why_kept(graph, node),
                               "place it directly behind a convolution or fully connected layer"});
  }
}

}  // namespace

PassReport fold_batch_norm(Graph& graph) {
  PassReport report{.pass = "fold_batch_norm", .applied_to = {}, .findings = {}};
  // Layers are never erased, so these pointers stay valid; chains are found anew for each.
  Nodes layers;
  for (const Node* node : graph.node_list()) {
    if (LinearLayer::find(graph, *node)) layers.push_back(node);
  }
  std::unordered_set<const Node*> changed;
  for (const Node* node : layers) {
    const auto layer = LinearLayer::find(graph, *node);
    if (layer && fold_backward(graph, *layer, report.folded_norms)) changed.insert(node);
  }
  for (const Node* node : layers) {
    const auto layer = LinearLayer::find(graph, *node);
    if (layer && fold_forward(graph, *layer)) changed.insert(node);
  }
  for (const Node* node : layers) {
    if (changed.contains(node)) report.applied_to.push_back(node->name());
  }
  report_kept(graph, report);
  return report;
}

}  // namespace hexquant::passes
