#include "passes/input_levels.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/format.h"
#include "graph/linear_layer.h"
#include "passes/channel_affine.h"
#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

constexpr double kLargestLevel = 255.0;
/// A mean that is meant to be an integer, computed in float32.
constexpr double kIntegerTolerance = 1e-4;

bool keeps_name(const Graph& graph, const std::string& input) {
  return graph.is_output(input) || graph.is_captured(input);
}

/// The value behind an input and the Transposes that follow it, and where its axes come from.
struct Entry {
  std::string value;
  std::vector<std::int64_t> axes;  ///< axis of `value` -> axis of the input
};

Entry find_entry(const Graph& graph, const std::string& input) {
  Entry entry{input, {}};
  const std::int64_t rank = known_rank(graph, input).value_or(0);
  for (std::int64_t axis = 0; axis < rank; ++axis) entry.axes.push_back(axis);
  for (const Node* node = graph.single_consumer(input); node != nullptr && node->is("Transpose");
       node = graph.single_consumer(entry.value)) {
    const auto perm = node->ints_attribute("perm", {});
    if (std::ssize(perm) != rank || !known_rank(graph, node->output())) break;
    std::vector<std::int64_t> axes;
    for (const std::int64_t axis : perm) axes.push_back(entry.axes[static_cast<std::size_t>(axis)]);
    entry = {node->output(), std::move(axes)};
  }
  return entry;
}

/// One value a channel along `axis` of a tensor of this rank; one value in all stays a scalar.
Tensor channel_constant(const std::vector<double>& values, std::int64_t axis, std::int64_t rank) {
  const std::vector<float> rounded(values.begin(), values.end());
  if (rounded.size() == 1) return Tensor::scalar(rounded[0]);
  Shape shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(axis)] = std::ssize(rounded);
  return Tensor::from<float>(shape, rounded);
}

/// Puts a node with a constant between a value and its readers.
std::string insert_behind(Graph& graph, const std::string& value, const char* op_type,
                          Tensor constant) {
  const std::string name = graph.unique_name(value + "_" + op_type);
  const std::string operand = graph.unique_name(name + "_constant");
  graph.add_initializer(operand, std::move(constant));
  graph.replace_uses(value, name);
  graph.add_node({op_type, {value, operand}, {name}, {}, name});
  graph.set_type(name, *graph.find_type(value));
  return name;
}

bool is_all(const std::vector<double>& values, double wanted) {
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == wanted; });
}

std::string channels_obstacle(const Graph& graph, const std::string& input, std::int64_t axis,
                              const Normalization& normalization) {
  const graph::ValueType* type = graph.find_type(input);
  if (type == nullptr || !type->shape || type->dtype != DType::kFloat32) return "it is not float32";
  if (axis < 0 || axis >= std::ssize(*type->shape)) return "it has no such channel axis";
  if (keeps_name(graph, input)) return "a subgraph or an output is the input itself";
  const std::int64_t channels = (*type->shape)[static_cast<std::size_t>(axis)].value;
  for (const auto* values : {&normalization.mean, &normalization.std}) {
    if (values->size() != 1 && std::ssize(*values) != channels) {
      return format("{} values of mean or std, {} channels", values->size(), channels);
    }
  }
  return "";
}

/// The per-channel shift at the model's door: x + shift.
struct Shift {
  const Node* node = nullptr;
  std::string source;  ///< what it is added to
  std::vector<double> values;
  ChannelLayout layout;
};

/// Layout of a value with channels on `axis`.
std::optional<ChannelLayout> layout_on(const Graph& graph, const std::string& value,
                                       std::int64_t axis) {
  const graph::ValueType* type = graph.find_type(value);
  if (type == nullptr || !type->shape || axis >= std::ssize(*type->shape)) return std::nullopt;
  const graph::Dim& channels = (*type->shape)[static_cast<std::size_t>(axis)];
  if (!channels.is_fixed()) return std::nullopt;
  const auto rank = std::ssize(*type->shape);
  return ChannelLayout{channels.value, rank, rank - 1 - axis};
}

std::optional<Shift> find_shift(const Graph& graph, const std::string& input) {
  const Entry entry = find_entry(graph, input);
  const Node* node = graph.single_consumer(entry.value);
  if (node == nullptr || graph.is_output(node->output())) return std::nullopt;
  if (affine_input(graph, *node) != entry.value) return std::nullopt;
  for (std::int64_t axis = 0; axis < std::ssize(entry.axes); ++axis) {
    const auto layout = layout_on(graph, entry.value, axis);
    const auto affine = layout ? channel_affine(graph, *node, *layout) : std::nullopt;
    if (!affine || affine->has_scale()) continue;
    return Shift{node, entry.value, affine->shift, *layout};
  }
  return std::nullopt;
}

/// Layers that read a value as their data; empty when some other node reads it too, or one without
/// a bias.
std::vector<LinearLayer> layer_readers(const Graph& graph, const std::string& value,
                                       const ChannelLayout& layout) {
  std::vector<LinearLayer> layers;
  for (const graph::Use& use : graph.uses(value)) {
    const auto layer = use.index == 0 ? LinearLayer::find(graph, *use.node) : std::nullopt;
    const bool fits = layer && layer->takes_bias() && !use.node->is("ConvTranspose") &&
                      layer->input_layout().channels == layout.channels &&
                      layer->input_layout().dims_after == layout.dims_after;
    if (!fits) return {};
    layers.push_back(*layer);
  }
  return layers;
}

/// sum of w^2 of each input channel, over all layers.
std::vector<double> channel_weights(const Graph& graph, const std::vector<LinearLayer>& layers,
                                    std::int64_t channels) {
  std::vector<double> sums(static_cast<std::size_t>(channels), 0.0);
  for (const LinearLayer& layer : layers) {
    const auto values = graph.find_initializer(layer.weight_name())->data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto w = static_cast<double>(values[i]);
      const auto channel = layer.channels_of(static_cast<std::int64_t>(i)).input;
      sums[static_cast<std::size_t>(channel)] += w * w;
    }
  }
  return sums;
}

/// The integer level that is nearest to -shift in the weighted mean of squares.
double nearest_level(const std::vector<double>& shift, const std::vector<double>& weights) {
  double sum = 0.0;
  double total = 0.0;
  for (std::size_t c = 0; c < shift.size(); ++c) {
    sum -= weights[c] * shift[c];
    total += weights[c];
  }
  return std::clamp(std::round(total > 0.0 ? sum / total : 0.0), 0.0, kLargestLevel);
}

/// Removes the shift node by making it the zero point. @return the zero point; 0 = the node stays
double absorb_shift(Graph& graph, const Shift& shift, bool exact, PassReport& report) {
  const double level = -shift.values[0];
  const double rounded = std::round(level);
  const bool uniform = is_all(shift.values, shift.values[0]) &&
                       std::abs(level - rounded) <= kIntegerTolerance && rounded >= 0.0 &&
                       rounded <= kLargestLevel;
  if (uniform) {
    bypass_node(graph, *shift.node, shift.source);
    return rounded;
  }
  const auto layers = layer_readers(graph, shift.node->output(), shift.layout);
  const bool padded = std::any_of(layers.begin(), layers.end(),
                                  [](const LinearLayer& layer) { return layer.is_padded(); });
  if (layers.empty() || (exact && padded)) return 0.0;
  const double zero =
      nearest_level(shift.values, channel_weights(graph, layers, shift.layout.channels));
  std::vector<double> rest;
  double largest = 0.0;
  for (const double value : shift.values) {
    rest.push_back(zero + value);
    largest = std::max(largest, std::abs(rest.back()));
  }
  for (const LinearLayer& layer : layers) {
    std::vector<double> bias = layer.bias(graph);
    const std::vector<double> response = layer.response_to_shift(graph, rest);
    for (std::size_t o = 0; o < bias.size(); ++o) bias[o] += response[o];
    layer.set_bias(graph, bias);
  }
  if (padded) {
    report.findings.push_back(
        {"border-approximated", Severity::kInfo, shift.node->name(),
         format("padding stands for level {} where the normalization has up to {:.4g} levels more "
                "or less: outputs at the border differ a little",
                static_cast<int>(zero), largest),
         "--exact-border keeps the subtraction as an operation of its own"});
  }
  bypass_node(graph, *shift.node, shift.source);
  return zero;
}

}  // namespace

bool Normalization::is_identity() const {
  return is_all(mean, 0.0) && is_all(std, 1.0);
}

PassReport insert_normalization(Graph& graph, const std::string& input, std::int64_t channel_axis,
                                const Normalization& normalization) {
  PassReport report{"fold_normalization", {}, {}};
  if (normalization.is_identity()) return report;
  const std::string obstacle = channels_obstacle(graph, input, channel_axis, normalization);
  if (!obstacle.empty()) {
    report.findings.push_back({"normalization-not-folded", Severity::kWarning, input,
                               "the preprocessing stays outside of the model: " + obstacle, ""});
    return report;
  }
  const Entry entry = find_entry(graph, input);
  const auto axis = std::find(entry.axes.begin(), entry.axes.end(), channel_axis);
  const auto rank = std::ssize(entry.axes);
  std::string value = entry.value;
  if (!is_all(normalization.mean, 0.0)) {
    value = insert_behind(graph, value, "Sub",
                          channel_constant(normalization.mean, axis - entry.axes.begin(), rank));
  }
  if (!is_all(normalization.std, 1.0)) {
    std::vector<double> factors;
    for (const double std : normalization.std) factors.push_back(1.0 / std);
    insert_behind(graph, value, "Mul", channel_constant(factors, axis - entry.axes.begin(), rank));
  }
  graph.sort();
  report.applied_to.push_back(input);
  return report;
}

PassReport make_input_integer(Graph& graph, const std::string& input, bool exact) {
  PassReport report{"uint8_input", {}, {}};
  const graph::ValueType* type = graph.find_type(input);
  if (type == nullptr || type->dtype != DType::kFloat32 || keeps_name(graph, input)) {
    report.findings.push_back({"input-stays-float", Severity::kWarning, input,
                               "only a float32 input that is no output can become uint8", ""});
    return report;
  }
  const auto shift = find_shift(graph, input);
  const double zero = shift ? absorb_shift(graph, *shift, exact, report) : 0.0;
  const std::string scale_name = graph.unique_name(input + "_scale");
  const std::string zero_name = graph.unique_name(input + "_zero_point");
  graph.add_initializer(scale_name, Tensor::scalar(1.0F));
  graph.add_initializer(zero_name, Tensor::scalar(static_cast<std::uint8_t>(zero)));
  const std::string values = graph.unique_name(input + "_values");
  graph::ValueType codes = *graph.find_type(input);
  graph.set_type(values, codes);
  codes.dtype = DType::kUInt8;
  graph.replace_uses(input, values);
  graph.add_node({"DequantizeLinear", {input, scale_name, zero_name}, {values}, {}, values});
  graph.set_input_type(input, std::move(codes));
  graph.sort();
  report.applied_to.push_back(input);
  return report;
}

}  // namespace hexquant::passes
