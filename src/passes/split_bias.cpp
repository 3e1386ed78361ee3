#include "passes/split_bias.h"

#include <algorithm>

#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

bool is_pointwise(const Node& node, const Tensor& weight) {
  const Shape& shape = weight.shape();
  return node.is("Conv") && shape.size() > 2 && node.int_attribute("group", 1) == 1 &&
         std::all_of(shape.begin() + 2, shape.end(), [](std::int64_t size) { return size == 1; });
}

bool is_biased_product(const Graph& graph, const Node& node) {
  const Tensor* weight = graph.find_initializer(node.input(1));
  const Tensor* bias = graph.find_initializer(node.input(2));
  if (weight == nullptr || bias == nullptr) return false;
  if (node.is("Gemm")) return node.float_attribute("beta", 1.0F) == 1.0F;
  return is_pointwise(node, *weight) && bias->rank() == 1;
}

/// The bias in the form that Add broadcasts to the layer's output.
std::string addend(Graph& graph, const Node& node) {
  const std::string name = node.input(2);
  if (node.is("Gemm")) return name;
  const Tensor& bias = *graph.find_initializer(name);
  Shape shape(graph.find_initializer(node.input(1))->shape().size() - 1, 1);
  shape[0] = bias.size();
  const std::string reshaped = graph.unique_name(name + "_reshaped");
  graph.add_initializer(reshaped, bias.reshaped(shape));
  return reshaped;
}

void split(Graph& graph, const Node& node) {
  const std::string bias = node.input(2);
  const std::string added = addend(graph, node);
  const std::string output = node.output();
  const std::string product = graph.unique_name(output + "_without_bias");
  if (const auto type = known_type(graph, output)) graph.set_type(product, *type);
  graph.truncate_inputs(node, 2);
  graph.set_output(node, 0, product);
  graph.insert_after(node, {.op_type = "Add",
                            .inputs = {product, added},
                            .outputs = {output},
                            .name = graph.unique_name(node.name() + "_bias")});
  if (!is_needed(graph, bias)) graph.erase_initializer(bias);
}

}  // namespace

std::set<std::string> biased_products(const Graph& graph) {
  std::set<std::string> names;
  for (const Node& node : graph.nodes()) {
    if (is_biased_product(graph, node)) names.insert(node.name());
  }
  return names;
}

PassReport split_bias(Graph& graph, const std::set<std::string>& nodes) {
  PassReport report{.pass = "split_bias", .applied_to = {}, .findings = {}};
  for (const Node* node : graph.node_list()) {
    if (!nodes.contains(node->name()) || !is_biased_product(graph, *node)) continue;
    report.applied_to.push_back(node->name());
    split(graph, *node);
  }
  return report;
}

}  // namespace hexquant::passes
