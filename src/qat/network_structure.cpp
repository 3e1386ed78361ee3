#include "qat/network_structure.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace hexquant::qat {
namespace {

using graph::Graph;
using graph::Node;

template <std::size_t n>
bool is_one_of(const Node& node, const std::array<std::string_view, n>& types) {
  return node.domain().empty() &&
         std::find(types.begin(), types.end(), node.op_type()) != types.end();
}

constexpr std::array<std::string_view, 3> kLayers = {"Conv", "ConvTranspose", "Gemm"};
constexpr std::array<std::string_view, 6> kNormalizations = {
    "BatchNormalization", "GroupNormalization", "InstanceNormalization",
    "LayerNormalization", "RMSNormalization",   "SimplifiedLayerNormalization"};
constexpr std::array<std::string_view, 17> kMovers = {
    "Concat",   "DepthToSpace", "Expand", "Flatten",   "Gather",   "GatherElements",
    "Identity", "MaxPool",      "Pad",    "Reshape",   "Slice",    "SpaceToDepth",
    "Split",    "Squeeze",      "Tile",   "Transpose", "Unsqueeze"};
constexpr std::array<std::string_view, 8> kActivations = {"Relu",      "Clip", "LeakyRelu", "PRelu",
                                                          "HardSwish", "Gelu", "Sigmoid",   "Tanh"};

bool is_matmul_output(const Graph& graph, const std::string& value) {
  const Node* producer = graph.producer(value);
  return producer != nullptr && producer->is("MatMul");
}

/// Inputs of a node that are trained where they are constants.
bool is_trained_input(const Graph& graph, const Node& node, std::size_t index) {
  const Tensor& tensor = *graph.find_initializer(node.input(index));
  if (is_one_of(node, kLayers) || is_one_of(node, kNormalizations)) {
    return index == 1 || index == 2;
  }
  if (node.is("MatMul")) return tensor.rank() >= 2;
  if (node.is("Gather")) return index == 0 && tensor.rank() >= 2;
  if (node.is("PRelu")) return index == 1;
  return node.is("Add") && tensor.size() > 1 && tensor.size() == tensor.shape().back() &&
         is_matmul_output(graph, node.input(1 - index));
}

/// The value behind the activation that alone reads `value`, or the value itself.
std::string behind_activation(const Graph& graph, const std::string& value) {
  const Node* reader = graph.single_consumer(value);
  if (reader == nullptr || !is_one_of(*reader, kActivations)) return value;
  return reader->input(0) == value ? reader->output() : value;
}

bool is_residual_add(const Graph& graph, const Node& node) {
  if (!node.is("Add")) return false;
  return std::none_of(node.inputs().begin(), node.inputs().end(), [&](const std::string& input) {
    return graph.find_initializer(input) != nullptr;
  });
}

bool is_layer(const Graph& graph, const Node& node) {
  return (is_one_of(node, kLayers) || node.is("MatMul")) &&
         graph.find_initializer(node.input(1)) != nullptr;
}

}  // namespace

std::set<std::string> trained_constants(const Graph& graph) {
  std::set<std::string> names;
  for (const Node& node : graph.nodes()) {
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const Tensor* tensor = graph.find_initializer(node.input(i));
      if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->empty()) continue;
      if (is_trained_input(graph, node, i)) names.insert(node.input(i));
    }
  }
  return names;
}

bool keeps_grid(const Node& node) {
  if (node.is("Pad")) return node.input(2).empty();
  return is_one_of(node, kMovers);
}

std::vector<std::string> data_inputs(const Node& node) {
  return node.is("Concat") ? node.inputs() : std::vector<std::string>{node.input(0)};
}

std::optional<Range> clip_range(const Graph& graph, const Node& node) {
  if (!node.is("Clip")) return std::nullopt;
  Range range{-std::numeric_limits<float>::max(), std::numeric_limits<float>::max()};
  const auto read = [&](std::size_t index, const char* attribute, float& bound) {
    if (const Tensor* tensor = graph.find_initializer(node.input(index))) {
      bound = static_cast<float>(to_doubles(*tensor).at(0));
    } else {
      bound = node.float_attribute(attribute, bound);
    }
  };
  read(1, "min", range.min);
  read(2, "max", range.max);
  return range;
}

std::vector<std::string> find_block_outputs(const Graph& graph) {
  std::vector<std::string> blocks;
  std::vector<std::string> layers;
  for (const Node& node : graph.nodes()) {
    if (is_residual_add(graph, node)) blocks.push_back(behind_activation(graph, node.output()));
    if (is_layer(graph, node)) layers.push_back(behind_activation(graph, node.output()));
  }
  return blocks.empty() ? layers : blocks;
}

}  // namespace hexquant::qat
