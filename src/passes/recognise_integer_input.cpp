#include "passes/recognise_integer_input.h"

#include <cmath>
#include <optional>

#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

/// Exporters write 127.5 * 2 as a float32 product: how far an integer may be off.
constexpr double kIntegerTolerance = 1e-4;
constexpr double kLargestCode = 255.0;

/// x = (q - zero_point) * scale.
struct Grid {
  double scale = 1.0;
  double zero_point = 0.0;

  [[nodiscard]] bool is_encoding() const {
    return std::isnormal(scale) && scale > 0.0 && zero_point >= -kIntegerTolerance &&
           zero_point <= kLargestCode + kIntegerTolerance &&
           std::abs(zero_point - std::round(zero_point)) <= kIntegerTolerance;
  }
};

/// The grid behind one more node; nothing when it is no arithmetic with a scalar.
std::optional<Grid> behind(const Graph& graph, const Node& node, const Grid& grid) {
  const auto operands = split_scalar(graph, node);
  if (!operands || (operands->index == 0 && !node.is("Add") && !node.is("Mul")))
    return std::nullopt;
  const double c = operands->constant;
  if (node.is("Add")) return Grid{grid.scale, grid.zero_point - c / grid.scale};
  if (node.is("Sub")) return Grid{grid.scale, grid.zero_point + c / grid.scale};
  if (node.is("Mul")) return Grid{grid.scale * c, grid.zero_point};
  if (node.is("Div") && c != 0.0) return Grid{grid.scale / c, grid.zero_point};
  return std::nullopt;
}

bool is_level_cast(const Graph& graph, const Node& node) {
  return node.is("Cast") && graph.is_input(node.input(0)) &&
         known_dtype(graph, node.input(0)) == DType::kUInt8 &&
         node.int_attribute("to", 0) == static_cast<std::int64_t>(DType::kFloat32);
}

/// The longest chain of arithmetic behind the Cast that ends in an encoding.
struct Chain {
  Nodes nodes;
  Grid grid;
};

Chain find_chain(const Graph& graph, const Node& cast) {
  Chain chain{{&cast}, {}};
  Nodes nodes = chain.nodes;
  Grid grid;
  for (const Node* node = graph.single_consumer(cast.output()); node != nullptr;
       node = graph.single_consumer(node->output())) {
    const auto next = behind(graph, *node, grid);
    if (!next) break;
    nodes.push_back(node);
    grid = *next;
    // 127.5, say, is none until the next factor.
    if (grid.is_encoding()) chain = {nodes, grid};
  }
  return chain;
}

void replace(Graph& graph, const Chain& chain) {
  const std::string input = chain.nodes.front()->input(0);
  const std::string output = chain.nodes.back()->output();
  const auto type = known_type(graph, output);
  const std::string scale = graph.unique_name(input + "_scale");
  const std::string zero_point = graph.unique_name(input + "_zero_point");
  graph.add_initializer(scale, Tensor::scalar(static_cast<float>(chain.grid.scale)));
  graph.add_initializer(
      zero_point, Tensor::scalar(static_cast<std::uint8_t>(std::lround(chain.grid.zero_point))));
  replace_nodes(
      graph, chain.nodes, *chain.nodes.back(),
      {.op_type = "DequantizeLinear", .inputs = {input, scale, zero_point}, .outputs = {}});
  if (type) graph.set_type(output, *type);
}

}  // namespace

PassReport recognise_integer_input(Graph& graph) {
  PassReport report{"recognise_integer_input", {}, {}};
  // Found before anything is replaced: other nodes go with a chain, but no Cast of another input.
  Nodes casts;
  for (const Node& node : graph.nodes()) {
    if (is_level_cast(graph, node)) casts.push_back(&node);
  }
  for (const Node* cast : casts) {
    report.applied_to.push_back(cast->name());
    replace(graph, find_chain(graph, *cast));
  }
  return report;
}

}  // namespace hexquant::passes
