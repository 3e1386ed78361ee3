#include "passes/quantize_biases.h"

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"
#include "graph/graph.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

constexpr std::size_t kBias = 2;

bool is_dequantize(const Node* node) {
  return node != nullptr && node->op_type() == "DequantizeLinear" &&
         node->find_attribute("block_size") == nullptr;
}

/// Constant scales of a DequantizeLinear.
std::optional<std::vector<double>> scales_of(const Graph& graph, const Node* node) {
  if (!is_dequantize(node)) return std::nullopt;
  const Tensor* scale = graph.find_initializer(node->input(1));
  if (scale == nullptr || scale->rank() > 1 || scale->dtype() != DType::kFloat32) {
    return std::nullopt;
  }
  return to_doubles(*scale);
}

/// Bias of a layer, and the scale of each of its codes.
struct Bias {
  Tensor values;
  std::vector<double> scales;
};

std::optional<Bias> find_bias(const Graph& graph, const Node& node) {
  const bool is_layer = node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm");
  if (!is_layer || node.float_attribute("beta", 1.0F) != 1.0F) return std::nullopt;
  if (node.float_attribute("alpha", 1.0F) != 1.0F) return std::nullopt;
  const Tensor* bias = graph.find_initializer(node.input(kBias));
  if (bias == nullptr || bias->dtype() != DType::kFloat32 || bias->rank() != 1) return std::nullopt;
  const auto data = scales_of(graph, graph.producer(node.input(0)));
  const auto weight = scales_of(graph, graph.producer(node.input(1)));
  if (!data || data->size() != 1 || !weight) return std::nullopt;
  if (std::cmp_not_equal(weight->size(), 1) && std::cmp_not_equal(weight->size(), bias->size())) {
    return std::nullopt;
  }
  Bias result{*bias, *weight};
  for (double& scale : result.scales) scale *= data->front();
  return result;
}

/// Codes of the bias; nothing when one does not fit.
std::optional<std::vector<std::int32_t>> codes_of(const Bias& bias) {
  std::vector<std::int32_t> codes;
  const auto values = bias.values.data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    // The scale as it is stored.
    const auto scale = static_cast<float>(bias.scales[bias.scales.size() == 1 ? 0 : i]);
    const double code = std::nearbyint(static_cast<double>(values[i]) / static_cast<double>(scale));
    if (!(std::abs(code) <= static_cast<double>(std::numeric_limits<std::int32_t>::max()))) {
      return std::nullopt;
    }
    codes.push_back(static_cast<std::int32_t>(code));
  }
  return codes;
}

std::string dequantized(Graph& graph, const Node& node, const Bias& bias,
                        const std::vector<std::int32_t>& codes) {
  const std::string base = node.input(kBias);
  const std::string name = graph.unique_name(base + "_quantized");
  graph.add_initializer(name, Tensor::from<std::int32_t>(bias.values.shape(), codes));
  const std::vector<float> scales(bias.scales.begin(), bias.scales.end());
  const std::string scale = graph.unique_name(base + "_scale");
  graph.add_initializer(scale, scales.size() == 1
                                   ? Tensor::scalar(scales[0])
                                   : Tensor::from<float>({std::ssize(scales)}, scales));
  const std::string output = graph.unique_name(base + "_DequantizeLinear_Output");
  // In the domain of the layer's other operands: the same operator sets hold.
  const Node& weight = *graph.producer(node.input(1));
  graph::NodeSpec spec{"DequantizeLinear", {name, scale}, {output}, {}, output, weight.domain()};
  if (scales.size() > 1) spec.attributes["axis"] = std::int64_t{0};
  graph.insert_before(node, std::move(spec));
  return output;
}

}  // namespace

PassReport quantize_biases(Graph& graph) {
  PassReport report{"quantize_biases", {}, {}};
  for (const Node* node : graph.node_list()) {
    const auto bias = find_bias(graph, *node);
    if (!bias) continue;
    const auto codes = codes_of(*bias);
    if (!codes) {
      report.findings.push_back(
          {"bias-stays-float", Severity::kWarning, node->name(),
           format("bias '{}' does not fit 32-bit codes at the scale of data and weight",
                  node->input(kBias)),
           "quantize the model again with wider weight scales"});
      continue;
    }
    const std::string old = node->input(kBias);
    graph.set_input(*node, kBias, dequantized(graph, *node, *bias, *codes));
    if (graph.uses(old).empty() && !graph.is_output(old)) graph.erase_initializer(old);
    report.applied_to.push_back(node->name());
  }
  return report;
}

}  // namespace hexquant::passes
