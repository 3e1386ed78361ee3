#include "passes/merge_attention.h"

#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/format.h"
#include "graph/linear_layer.h"
#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::LinearLayer;
using graph::Node;

/// softmax(scores [+ mask]) v.
struct Core {
  const Node* softmax = nullptr;
  const Node* product = nullptr;           ///< q k^T
  std::vector<const Node*> factors;        ///< scalar Mul and Div, of scores, q and k
  std::vector<const Node*> of_operand[2];  ///< those on the way to q and to k
};

bool is_last_axis_softmax(const Graph& graph, const Node& node) {
  if (!node.is("Softmax")) return false;
  const std::int64_t axis = node.int_attribute("axis", graph.opset() >= 13 ? -1 : 1);
  const auto rank = known_rank(graph, node.input(0));
  return axis == -1 || (rank && axis == *rank - 1);
}

/// Mul or Div by a finite scalar; what it multiplies with.
std::optional<double> factor_of(const Graph& graph, const Node& node) {
  if (!node.is("Mul") && !node.is("Div")) return std::nullopt;
  const auto operands = split_scalar(graph, node);
  if (!operands || (node.is("Div") && operands->index != 1)) return std::nullopt;
  const double factor = node.is("Div") ? 1.0 / operands->constant : operands->constant;
  return std::isnormal(factor) ? std::optional(factor) : std::nullopt;
}

std::string tensor_of(const Graph& graph, const Node& node) {
  return split_scalar(graph, node)->tensor;
}

/// The node that computes a value which only one node reads.
const Node* private_producer(const Graph& graph, const std::string& value) {
  const Node* node = graph.producer(value);
  return node != nullptr && graph.single_consumer(value) != nullptr ? node : nullptr;
}

bool moves_only(const Node& node) {
  static const std::set<std::string> kMovers = {"Transpose", "Reshape", "Squeeze",
                                                "Unsqueeze", "Flatten", "Identity"};
  return node.domain().empty() && kMovers.contains(node.op_type());
}

/// Factors on the way to an operand, from the product upwards through movers.
std::vector<const Node*> operand_factors(const Graph& graph, const std::string& operand) {
  std::vector<const Node*> found;
  const Node* node = private_producer(graph, operand);
  while (node != nullptr) {
    if (factor_of(graph, *node)) {
      found.push_back(node);
      node = private_producer(graph, tensor_of(graph, *node));
    } else if (moves_only(*node)) {
      node = private_producer(graph, node->input(0));
    } else {
      break;
    }
  }
  return found;
}

std::optional<Core> find_core(const Graph& graph, const Node& softmax) {
  if (!is_last_axis_softmax(graph, softmax)) return std::nullopt;
  const Node* reader = graph.single_consumer(softmax.output());
  if (reader == nullptr || !reader->is("MatMul")) return std::nullopt;
  Core core;
  core.softmax = &softmax;
  const Node* node = private_producer(graph, softmax.input(0));
  if (node != nullptr && node->is("Add")) {
    // The mask is the operand that no product computes.
    for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
      const Node* scores = private_producer(graph, node->input(index));
      if (scores == nullptr || (!scores->is("MatMul") && !factor_of(graph, *scores))) continue;
      node = scores;
      break;
    }
  }
  while (node != nullptr && factor_of(graph, *node)) {
    core.factors.push_back(node);
    node = private_producer(graph, tensor_of(graph, *node));
  }
  if (node == nullptr || !node->is("MatMul")) return std::nullopt;
  core.product = node;
  for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
    if (graph.find_initializer(node->input(index)) != nullptr) return std::nullopt;
    core.of_operand[index] = operand_factors(graph, node->input(index));
    core.factors.insert(core.factors.end(), core.of_operand[index].begin(),
                        core.of_operand[index].end());
  }
  return core;
}

/// A layer, with the bias that an Add behind a MatMul gives.
struct Projection {
  LinearLayer layer;
  const Node* bias_add = nullptr;
};

/// The layer that computes an operand, movers and factors in between.
std::optional<Projection> find_projection(const Graph& graph, const std::string& operand) {
  std::string value = operand;
  const Node* bias_add = nullptr;
  for (const Node* node = private_producer(graph, value); node != nullptr;
       node = private_producer(graph, value)) {
    if (const auto layer = LinearLayer::find(graph, *node)) return Projection{*layer, bias_add};
    if (factor_of(graph, *node)) {
      value = tensor_of(graph, *node);
    } else if (moves_only(*node)) {
      value = node->input(0);
    } else if (node->is("Add") && bias_add == nullptr) {
      const std::size_t constant = graph.find_initializer(node->input(1)) != nullptr ? 1 : 0;
      const Tensor* bias = graph.find_initializer(node->input(constant));
      if (bias == nullptr || bias->dtype() != DType::kFloat32) return std::nullopt;
      bias_add = node;
      value = node->input(1 - constant);
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

void scale_bias_add(Graph& graph, const Node& add, double factor) {
  const std::size_t index = graph.find_initializer(add.input(1)) != nullptr ? 1 : 0;
  Tensor bias = *graph.find_initializer(add.input(index));
  for (float& value : bias.mutable_data<float>()) {
    value = static_cast<float>(static_cast<double>(value) * factor);
  }
  const std::string name = graph.unique_name(add.input(index) + "_scaled");
  graph.add_initializer(name, std::move(bias));
  graph.set_input(add, index, name);
}

void scale_projection(Graph& graph, const Projection& projection, double factor) {
  const LinearLayer& layer = projection.layer;
  const auto outputs = static_cast<std::size_t>(layer.output_layout().channels);
  std::vector<double> bias;
  if (!layer.bias_name().empty()) bias = layer.bias(graph);
  layer.scale_weight(graph, std::vector<double>(outputs, factor), {});
  for (double& value : bias) value *= factor;
  if (!bias.empty()) layer.set_bias(graph, bias);
  if (projection.bias_add != nullptr) scale_bias_add(graph, *projection.bias_add, factor);
}

double product_of(const Graph& graph, const std::vector<const Node*>& factors) {
  double product = 1.0;
  for (const Node* node : factors) product *= *factor_of(graph, *node);
  return product;
}

bool bypass_all(Graph& graph, const std::vector<const Node*>& factors) {
  bool all = true;
  for (const Node* node : factors) all = bypass_node(graph, *node, tensor_of(graph, *node)) && all;
  return all;
}

/// Elements of one sample: a free dimension counts as one.
double elements(const Graph& graph, const std::string& value) {
  const graph::ValueType* type = graph.find_type(value);
  if (type == nullptr || !type->shape) return INFINITY;
  double count = 1.0;
  for (const graph::Dim& dim : *type->shape) {
    if (dim.is_fixed()) count *= static_cast<double>(dim.value);
  }
  return count;
}

/// One Mul in the place of several, or a smaller one. @return false when there is nothing to gain
bool gather_factors(Graph& graph, const Core& core) {
  const std::string q = core.product->input(0);
  const bool on_scores =
      core.factors.size() == 1 && core.of_operand[0].empty() && core.of_operand[1].empty();
  if (core.factors.size() < 2 &&
      !(on_scores && elements(graph, q) < elements(graph, core.product->output()))) {
    return false;
  }
  const double factor = product_of(graph, core.factors);
  bypass_all(graph, core.factors);
  const std::string source = core.product->input(0);
  const std::string constant = graph.unique_name(core.product->name() + "_factor");
  graph.add_initializer(constant, Tensor::scalar(static_cast<float>(factor)));
  const std::string scaled = graph.unique_name(source + "_scaled");
  graph.insert_before(*core.product, {"Mul", {source, constant}, {scaled}, {}, scaled});
  if (const auto type = known_type(graph, source)) graph.set_type(scaled, *type);
  graph.set_input(*core.product, 0, scaled);
  return true;
}

/// Takes the factors of a core away. @return false when they stay as they are
bool merge(Graph& graph, const Core& core) {
  if (core.factors.empty()) return false;
  for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
    const auto projection = find_projection(graph, core.product->input(index));
    if (!projection) continue;
    scale_projection(graph, *projection, product_of(graph, core.factors));
    return bypass_all(graph, core.factors);
  }
  return gather_factors(graph, core);
}

}  // namespace

PassReport merge_attention(Graph& graph) {
  PassReport report{"merge_attention", {}, {}};
  graph.sort();
  for (const Node* node : graph.node_list()) {
    if (!node->is("Softmax")) continue;
    const auto core = find_core(graph, *node);
    if (core && merge(graph, *core)) report.applied_to.push_back(node->name());
  }
  return report;
}

}  // namespace hexquant::passes
