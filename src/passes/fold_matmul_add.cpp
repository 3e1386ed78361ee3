#include "passes/fold_matmul_add.h"

#include <optional>
#include <unordered_set>

#include "passes/graph_match.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

struct BiasedProduct {
  const Node* product = nullptr;
  const Node* sum = nullptr;
  std::string bias;
  std::int64_t outputs = 0;
};

std::optional<BiasedProduct> match_biased_product(const Graph& graph, const Node& node) {
  if (!node.is("MatMul") || known_rank(graph, node.input(0)) != 2) return std::nullopt;
  if (graph.find_initializer(node.input(0)) != nullptr) return std::nullopt;
  const Tensor* weight = graph.find_initializer(node.input(1));
  if (weight == nullptr || weight->dtype() != DType::kFloat32 || weight->rank() != 2) {
    return std::nullopt;
  }
  const Node* sum = graph.single_consumer(node.output());
  if (sum == nullptr || !sum->is("Add")) return std::nullopt;
  const std::string& bias = sum->input(sum->input(0) == node.output() ? 1 : 0);
  const Tensor* tensor = graph.find_initializer(bias);
  const std::int64_t outputs = weight->shape()[1];
  if (tensor == nullptr || tensor->rank() > 2 || !broadcast_constant(graph, bias, {outputs})) {
    return std::nullopt;
  }
  return BiasedProduct{&node, sum, bias, outputs};
}

}  // namespace

PassReport fold_matmul_add(Graph& graph) {
  PassReport report{.pass = "fold_matmul_add", .applied_to = {}, .findings = {}};
  std::unordered_set<const Node*> gone;
  for (const Node* node : graph.node_list()) {
    if (gone.contains(node)) continue;
    const auto match = match_biased_product(graph, *node);
    if (!match) continue;
    report.applied_to.push_back(match->sum->name());
    gone.insert({match->product, match->sum});
    const std::string bias = constant_of_shape(graph, match->bias, {match->outputs});
    replace_nodes(
        graph, {match->product, match->sum}, *match->sum,
        {.op_type = "Gemm", .inputs = {node->input(0), node->input(1), bias}, .outputs = {}});
  }
  return report;
}

}  // namespace hexquant::passes
