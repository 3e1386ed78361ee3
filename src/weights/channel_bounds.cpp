#include "weights/channel_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "graph/linear_layer.h"

namespace hexquant::weights {
namespace {

using graph::Graph;
using graph::LinearLayer;
using graph::Node;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Relative error of a float32 sum of up to a few thousand products, with room to spare.
constexpr double kRounding = 1e-6;

/// 0 times an unlimited input is 0.
double product(double weight, double limit) {
  return weight == 0.0 ? 0.0 : weight * limit;
}

std::optional<float> constant_or(const Graph& graph, const Node& node, std::size_t input,
                                 const char* attribute, float open) {
  if (node.input(input).empty()) return node.float_attribute(attribute, open);
  const Tensor* value = graph.find_initializer(node.input(input));
  if (value == nullptr || value->size() != 1 || !is_floating(value->dtype())) return std::nullopt;
  return static_cast<float>(to_doubles(*value)[0]);
}

class BoundsPass {
 public:
  explicit BoundsPass(const Graph& graph) : graph_(graph) {}

  std::map<std::string, ChannelBounds> run() {
    for (const Node& node : graph_.nodes()) {
      auto bounds = visit(node);
      if (bounds) bounds_[node.output()] = std::move(*bounds);
    }
    return std::move(bounds_);
  }

 private:
  [[nodiscard]] std::optional<ChannelBounds> visit(const Node& node) const {
    if (const auto layer = LinearLayer::find(graph_, node)) return through_layer(*layer);
    if (node.is("Add")) return through_add(node);
    if (node.is("Sigmoid") || node.is("HardSigmoid") || node.is("Softmax")) {
      return ChannelBounds{{0.0}, {1.0}};
    }
    const auto found = bounds_.find(node.input(0));
    const bool known = found != bounds_.end();
    ChannelBounds bounds = known ? found->second : ChannelBounds{{-kInfinity}, {kInfinity}};
    if (node.is("Relu")) return clamped(std::move(bounds), 0.0, kInfinity);
    if (node.is("Clip")) {
      const auto low = constant_or(graph_, node, 1, "min", -std::numeric_limits<float>::infinity());
      const auto high = constant_or(graph_, node, 2, "max", std::numeric_limits<float>::infinity());
      if (!low || !high || *low > *high) return std::nullopt;
      return clamped(std::move(bounds), *low, *high);
    }
    if (!known) return std::nullopt;
    if (node.is("AveragePool")) return with_zero(std::move(bounds));
    if (node.is("MaxPool") || node.is("GlobalAveragePool") || node.is("GlobalMaxPool") ||
        node.is("Identity")) {
      return bounds;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<ChannelBounds> through_layer(const LinearLayer& layer) const {
    const auto inputs = static_cast<std::size_t>(layer.input_layout().channels);
    if (inputs == 0) return std::nullopt;
    ChannelBounds in{std::vector<double>(inputs, -kInfinity),
                     std::vector<double>(inputs, kInfinity)};
    const auto found = bounds_.find(layer.node().input(0));
    if (found != bounds_.end() && found->second.low.size() == inputs) in = found->second;
    if (found != bounds_.end() && found->second.low.size() == 1) {
      in.low.assign(inputs, found->second.low[0]);
      in.high.assign(inputs, found->second.high[0]);
    }
    if (layer.is_padded()) in = with_zero(std::move(in));
    const std::vector<double> bias = layer.bias(graph_);
    ChannelBounds out{bias, bias};
    std::vector<double> magnitude(bias.size());
    for (std::size_t o = 0; o < bias.size(); ++o) magnitude[o] = std::abs(bias[o]);
    const double alpha = layer.node().is("Gemm")
                             ? static_cast<double>(layer.node().float_attribute("alpha", 1.0F))
                             : 1.0;
    const auto weight = graph_.find_initializer(layer.weight_name())->data<float>();
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const graph::WeightChannels at = layer.channels_of(static_cast<std::int64_t>(i));
      const auto o = static_cast<std::size_t>(at.output);
      const auto c = static_cast<std::size_t>(at.input);
      const double w = alpha * static_cast<double>(weight[i]);
      const double a = product(w, in.low[c]);
      const double b = product(w, in.high[c]);
      out.low[o] += std::min(a, b);
      out.high[o] += std::max(a, b);
      magnitude[o] += std::max(std::abs(a), std::abs(b));
    }
    for (std::size_t o = 0; o < bias.size(); ++o) {
      out.low[o] -= kRounding * magnitude[o];
      out.high[o] += kRounding * magnitude[o];
    }
    return out;
  }

  [[nodiscard]] std::optional<ChannelBounds> through_add(const Node& node) const {
    const auto left = bounds_.find(node.input(0));
    const auto right = bounds_.find(node.input(1));
    if (left == bounds_.end() || right == bounds_.end()) return std::nullopt;
    if (left->second.low.size() != right->second.low.size()) return std::nullopt;
    const auto* left_type = graph_.find_type(node.input(0));
    const auto* right_type = graph_.find_type(node.input(1));
    if (left_type == nullptr || right_type == nullptr || !left_type->shape || !right_type->shape ||
        left_type->shape->size() != right_type->shape->size()) {
      return std::nullopt;
    }
    ChannelBounds sum = left->second;
    for (std::size_t c = 0; c < sum.low.size(); ++c) {
      sum.low[c] += right->second.low[c];
      sum.high[c] += right->second.high[c];
      const double slack = kRounding * std::max(std::abs(sum.low[c]), std::abs(sum.high[c]));
      sum.low[c] -= slack;
      sum.high[c] += slack;
    }
    return sum;
  }

  [[nodiscard]] static ChannelBounds clamped(ChannelBounds bounds, double low, double high) {
    for (double& value : bounds.low) value = std::clamp(value, low, high);
    for (double& value : bounds.high) value = std::clamp(value, low, high);
    return bounds;
  }
  [[nodiscard]] static ChannelBounds with_zero(ChannelBounds bounds) {
    for (double& value : bounds.low) value = std::min(value, 0.0);
    for (double& value : bounds.high) value = std::max(value, 0.0);
    return bounds;
  }

  const Graph& graph_;
  std::map<std::string, ChannelBounds> bounds_;
};

}  // namespace

std::map<std::string, ChannelBounds> channel_bounds(const Graph& graph) {
  return BoundsPass(graph).run();
}

}  // namespace hexquant::weights
