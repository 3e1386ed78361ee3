#include "passes/pad_channels.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graph/linear_layer.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::LinearLayer;
using graph::Node;

constexpr std::int64_t kChannelGroup = 32;

/// Channels from the layer that makes them to the one that uses them up.
struct Chain {
  std::string first;
  std::vector<std::string> between;
  std::string last;
  std::int64_t channels = 0;
  std::int64_t padded = 0;
};

std::int64_t round_up(std::int64_t value) {
  return (value + kChannelGroup - 1) / kChannelGroup * kChannelGroup;
}

bool is_dense_conv(const Graph& graph, const Node& node) {
  return node.is("Conv") && node.int_attribute("group", 1) == 1 &&
         LinearLayer::find(graph, node).has_value();
}

bool is_depthwise(const Graph& graph, const Node& node, std::int64_t channels) {
  return node.is("Conv") && node.int_attribute("group", 1) == channels &&
         LinearLayer::find(graph, node) &&
         graph.find_initializer(node.input(1))->shape()[0] == channels;
}

/// Element by element or channel by channel, with finite results for 0.
bool passes_zeros(const Graph& graph, const Node& node) {
  static const std::set<std::string> kTypes = {
      "Relu",      "Clip",    "Sigmoid",     "HardSigmoid", "HardSwish",         "Tanh",    "Elu",
      "LeakyRelu", "MaxPool", "AveragePool", "Gelu",        "GlobalAveragePool", "Softplus"};
  return node.domain().empty() && kTypes.contains(node.op_type()) && node.outputs().size() == 1 &&
         !graph.is_output(node.output());
}

std::optional<Chain> find_chain(const Graph& graph, const Node& first) {
  if (!is_dense_conv(graph, first)) return std::nullopt;
  Chain chain;
  chain.first = first.name();
  chain.channels = graph.find_initializer(first.input(1))->shape()[0];
  chain.padded = round_up(chain.channels);
  const double growth = static_cast<double>(chain.padded) / static_cast<double>(chain.channels);
  if (chain.padded == chain.channels || growth > kLargestPadding) return std::nullopt;
  for (const Node* node = graph.single_consumer(first.output()); node != nullptr;
       node = graph.single_consumer(node->output())) {
    if (is_depthwise(graph, *node, chain.channels) || passes_zeros(graph, *node)) {
      chain.between.push_back(node->name());
    } else if (is_dense_conv(graph, *node)) {
      chain.last = node->name();
      return chain;
    } else {
      break;
    }
  }
  return std::nullopt;
}

/// A tensor with one axis made longer by zeros.
Tensor lengthened(const Tensor& tensor, std::size_t axis, std::int64_t size) {
  Shape shape = tensor.shape();
  std::int64_t inner = 1;
  for (std::size_t i = axis; i < shape.size(); ++i) inner *= shape[i];
  const std::int64_t blocks = tensor.size() / inner;
  const std::int64_t longer = inner / shape[axis] * size;
  shape[axis] = size;
  Tensor result(DType::kFloat32, shape);
  const auto from = tensor.data<float>();
  const auto to = result.mutable_data<float>();
  for (std::int64_t block = 0; block < blocks; ++block) {
    std::copy_n(from.begin() + block * inner, inner, to.begin() + block * longer);
  }
  return result;
}

void lengthen_input(Graph& graph, const Node& node, std::size_t input, std::size_t axis,
                    std::int64_t size) {
  if (node.input(input).empty()) return;
  const std::string name = graph.unique_name(node.input(input) + "_padded");
  graph.add_initializer(name, lengthened(*graph.find_initializer(node.input(input)), axis, size));
  graph.set_input(node, input, name);
}

void set_channels(Graph& graph, const std::string& value, std::int64_t channels) {
  const graph::ValueType* known = graph.find_type(value);
  if (known == nullptr || !known->shape || known->shape->size() < 2) return;
  graph::ValueType type = *known;
  (*type.shape)[1] = {channels, ""};
  graph.set_type(value, std::move(type));
}

void pad(Graph& graph, const Chain& chain) {
  const std::set<std::string> between(chain.between.begin(), chain.between.end());
  for (const Node* node : graph.node_list()) {
    const bool is_first = node->name() == chain.first;
    if (node->name() == chain.last) {
      lengthen_input(graph, *node, 1, 1, chain.padded);
      continue;
    }
    if (!is_first && !between.contains(node->name())) continue;
    if (node->is("Conv")) {
      lengthen_input(graph, *node, 1, 0, chain.padded);
      lengthen_input(graph, *node, 2, 0, chain.padded);
      if (!is_first) graph.set_attribute(*node, "group", chain.padded);
    }
    set_channels(graph, node->output(), chain.padded);
  }
}

}  // namespace

PassReport pad_channels(Graph& graph, const PaysOff& pays) {
  PassReport report{"pad_channels", {}, {}};
  graph.sort();
  std::vector<Chain> chains;
  for (const Node& node : graph.nodes()) {
    if (auto chain = find_chain(graph, node)) chains.push_back(*std::move(chain));
  }
  for (const Chain& chain : chains) {
    Graph trial = graph;
    pad(trial, chain);
    if (!pays(graph, trial)) continue;
    graph = std::move(trial);
    report.applied_to.push_back(chain.first);
  }
  return report;
}

}  // namespace hexquant::passes
