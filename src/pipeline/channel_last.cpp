#include "pipeline/channel_last.h"

#include <array>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using graph::Node;

constexpr std::array<ChannelOrder, 3> kOrders = {
    {{"NCHW", "NHWC", 4}, {"NCDHW", "NDHWC", 5}, {"NCF", "NFC", 3}}};
constexpr int kImageRank = 4;

/// Operations whose first input has channels on its second axis.
const std::set<std::string_view> kSpatial = {"Conv",
                                             "ConvTranspose",
                                             "MaxPool",
                                             "AveragePool",
                                             "GlobalAveragePool",
                                             "GlobalMaxPool",
                                             "LpPool",
                                             "BatchNormalization",
                                             "InstanceNormalization",
                                             "LRN",
                                             "DepthToSpace",
                                             "SpaceToDepth",
                                             "Resize",
                                             "Upsample"};
/// Operations that leave every axis where it is.
const std::set<std::string_view> kElementWise = {"Identity",
                                                 "Cast",
                                                 "Relu",
                                                 "LeakyRelu",
                                                 "PRelu",
                                                 "Clip",
                                                 "Sigmoid",
                                                 "HardSigmoid",
                                                 "HardSwish",
                                                 "Tanh",
                                                 "Elu",
                                                 "Add",
                                                 "Sub",
                                                 "Mul",
                                                 "Div",
                                                 "Pad",
                                                 "Dropout",
                                                 "Sqrt",
                                                 "Exp",
                                                 "Gelu",
                                                 "Softplus",
                                                 "QuantizeLinear",
                                                 "DequantizeLinear",
                                                 "Concat"};

bool is_one_of(const Node& node, const std::set<std::string_view>& types) {
  return node.domain().empty() && types.contains(node.op_type());
}

bool reaches(const Graph& graph, const std::string& value, std::set<std::string>& seen) {
  if (!seen.insert(value).second) return false;
  for (const graph::Use& use : graph.uses(value)) {
    if (use.index == 0 && is_one_of(*use.node, kSpatial)) return true;
    if (use.index == graph::Use::kCaptured || !is_one_of(*use.node, kElementWise)) continue;
    if (reaches(graph, use.node->output(), seen)) return true;
  }
  return false;
}

bool comes_from(const Graph& graph, const std::string& value, std::set<std::string>& seen) {
  if (!seen.insert(value).second) return false;
  const Node* producer = graph.producer(value);
  if (producer == nullptr) return false;
  if (is_one_of(*producer, kSpatial)) return true;
  if (!is_one_of(*producer, kElementWise)) return false;
  for (const std::string& input : producer->inputs()) {
    if (!input.empty() && comes_from(graph, input, seen)) return true;
  }
  return false;
}

/// Rank of a value; -1 when unknown.
int rank_of(const Graph& graph, const std::string& value) {
  const graph::ValueType* type = graph.find_type(value);
  return type == nullptr || !type->shape ? -1 : static_cast<int>(type->shape->size());
}

graph::NodeSpec transpose(const std::string& from, const std::string& to,
                          std::vector<std::int64_t> perm, const std::string& name) {
  graph::NodeSpec spec;
  spec.op_type = "Transpose";
  spec.inputs = {from};
  spec.outputs = {to};
  spec.attributes["perm"] = std::move(perm);
  spec.name = name;
  return spec;
}

/// 0, 1, ... rank-1.
std::vector<std::int64_t> axes(int rank) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(rank));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// Permutation that puts the last axis second.
std::vector<std::int64_t> to_channel_first_permutation(int rank) {
  std::vector<std::int64_t> perm = axes(rank);
  perm.insert(perm.begin() + 1, perm.back());
  perm.pop_back();
  return perm;
}

}  // namespace

const ChannelOrder* find_channel_order(const std::string& layout) {
  for (const ChannelOrder& order : kOrders) {
    if (layout == order.channel_first) return &order;
  }
  return nullptr;
}

bool reaches_spatial_node(const Graph& graph, const std::string& input) {
  std::set<std::string> seen;
  return rank_of(graph, input) == kImageRank && reaches(graph, input, seen);
}

bool comes_from_spatial_node(const Graph& graph, const std::string& output) {
  std::set<std::string> seen;
  return rank_of(graph, output) == kImageRank && comes_from(graph, output, seen);
}

bool make_input_channel_last(Graph& graph, const std::string& input, const ChannelOrder& order) {
  if (rank_of(graph, input) != order.rank || graph.is_output(input) || graph.is_captured(input)) {
    return false;
  }
  const graph::ValueType& old_type = *graph.find_type(input);
  graph::ValueType inner_type = old_type;
  graph::ValueType type{old_type.dtype, to_channel_last(*old_type.shape)};
  const std::string inner = graph.unique_name(input + "_" + order.channel_first);
  graph.replace_uses(input, inner);
  graph.add_node(transpose(input, inner, to_channel_first_permutation(order.rank), inner));
  graph.set_input_type(input, std::move(type));
  graph.set_type(inner, std::move(inner_type));
  graph.sort();
  return true;
}

bool make_output_channel_last(Graph& graph, const std::string& output, const ChannelOrder& order) {
  const Node* producer = graph.producer(output);
  if (producer == nullptr || rank_of(graph, output) != order.rank || graph.is_captured(output)) {
    return false;
  }
  const graph::ValueType& old_type = *graph.find_type(output);
  graph::ValueType inner_type = old_type;
  graph::ValueType type{old_type.dtype, to_channel_last(*old_type.shape)};
  const std::string inner = graph.unique_name(output + "_" + order.channel_first);
  std::size_t index = 0;
  while (producer->output(index) != output) ++index;
  graph.set_output(*producer, index, inner);
  graph.replace_uses(output, inner);
  graph.add_node(transpose(inner, output, to_channel_last(axes(order.rank)), inner));
  graph.set_type(output, std::move(type));
  graph.set_type(inner, std::move(inner_type));
  return true;
}

}  // namespace hexquant::pipeline
