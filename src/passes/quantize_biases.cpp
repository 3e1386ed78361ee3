#include "passes/quantize_biases.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/format.h"
#include "graph/graph.h"
#include "graph/subgraph.h"
#include "runtime/session.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

constexpr std::size_t kBias = 2;
/// A product of two scales in float32, in either order of rounding.
constexpr double kSameScale = 1e-5;

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
  const Node* layer = nullptr;
  Tensor values;
  std::vector<double> scales;
};

/// True if the value follows from constants alone.
bool is_constant(const Graph& graph, const std::string& value) {
  if (graph.find_initializer(value) != nullptr) return true;
  const Node* node = graph.producer(value);
  return node != nullptr && !node->has_subgraph() &&
         std::all_of(node->inputs().begin(), node->inputs().end(), [&](const std::string& input) {
           return input.empty() || is_constant(graph, input);
         });
}

/// True for int32 codes under these scales, as layers compute their sums.
bool has_sum_codes(const Graph& graph, const std::string& value,
                   const std::vector<double>& scales) {
  const Node* node = graph.producer(value);
  const auto stored = scales_of(graph, node);
  if (!stored || stored->empty()) return false;
  const Tensor* codes = graph.find_initializer(node->input(0));
  if (codes == nullptr || codes->dtype() != DType::kInt32) return false;
  if (stored->size() != 1 && scales.size() != 1 && stored->size() != scales.size()) return false;
  const std::size_t count = std::max(stored->size(), scales.size());
  for (std::size_t i = 0; i < count; ++i) {
    const double own = (*stored)[stored->size() == 1 ? 0 : i];
    const double wanted = scales[scales.size() == 1 ? 0 : i];
    if (!(std::abs(own - wanted) <= kSameScale * wanted)) return false;
  }
  return true;
}

/// A quantized layer whose bias is constant, but not int32 codes under its own scales. Its values
/// are still to come.
std::optional<Bias> find_bias(const Graph& graph, const Node& node) {
  const bool is_layer = node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm");
  if (!is_layer || node.float_attribute("beta", 1.0F) != 1.0F) return std::nullopt;
  if (node.float_attribute("alpha", 1.0F) != 1.0F) return std::nullopt;
  const std::string& bias = node.input(kBias);
  if (bias.empty() || !is_constant(graph, bias)) return std::nullopt;
  const auto data = scales_of(graph, graph.producer(node.input(0)));
  const auto weight = scales_of(graph, graph.producer(node.input(1)));
  if (!data || data->size() != 1 || !weight) return std::nullopt;
  Bias result{&node, {}, *weight};
  for (double& scale : result.scales) scale *= data->front();
  if (has_sum_codes(graph, bias, result.scales)) return std::nullopt;
  return result;
}

/// Computes the biases, and drops those of another form than one number an output.
void read_values(const Graph& graph, std::vector<Bias>& biases) {
  std::vector<std::string> names;
  for (const Bias& bias : biases) {
    const std::string& name = bias.layer->input(kBias);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  if (names.empty()) return;
  std::map<std::string, Tensor> values;
  std::vector<std::string> computed;
  for (const std::string& name : names) {
    if (const Tensor* constant = graph.find_initializer(name)) {
      values[name] = *constant;
    } else {
      computed.push_back(name);
    }
  }
  if (!computed.empty()) {
    runtime::SessionOptions options;
    options.optimize = false;
    const auto results =
        runtime::Session(graph::extract_subgraph(graph, {}, computed), options, computed).run({});
    for (std::size_t i = 0; i < computed.size(); ++i) values[computed[i]] = results[i];
  }
  for (Bias& bias : biases) bias.values = values.at(bias.layer->input(kBias));
  std::erase_if(biases, [](const Bias& bias) {
    return bias.values.dtype() != DType::kFloat32 || bias.values.rank() != 1 ||
           (bias.scales.size() != 1 && std::ssize(bias.scales) != bias.values.size());
  });
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
  std::vector<Bias> biases;
  for (const Node& node : graph.nodes()) {
    if (auto bias = find_bias(graph, node)) biases.push_back(*std::move(bias));
  }
  read_values(graph, biases);
  for (const Bias& bias : biases) {
    const Node& layer = *bias.layer;
    const auto codes = codes_of(bias);
    if (!codes) {
      report.findings.push_back(
          {"bias-stays-float", Severity::kWarning, layer.name(),
           format("bias '{}' does not fit 32-bit codes at the scale of data and weight",
                  layer.input(kBias)),
           "quantize the model again with wider weight scales"});
      continue;
    }
    const std::string old = layer.input(kBias);
    graph.set_input(layer, kBias, dequantized(graph, layer, bias, *codes));
    const bool unread = graph.uses(old).empty() && !graph.is_output(old);
    if (unread && graph.find_initializer(old) != nullptr) graph.erase_initializer(old);
    report.applied_to.push_back(layer.name());
  }
  return report;
}

}  // namespace hexquant::passes
