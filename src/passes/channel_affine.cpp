#include "passes/channel_affine.h"

#include <algorithm>
#include <cmath>

#include "passes/graph_match.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;
using Values = std::vector<double>;

bool is_inference_batch_norm(const Node& node) {
  if (!node.is("BatchNormalization") || node.int_attribute("training_mode", 0) != 0) return false;
  return std::all_of(node.outputs().begin() + 1, node.outputs().end(),
                     [](const std::string& output) { return output.empty(); });
}

std::optional<Values> batch_norm_parameter(const Graph& graph, const Node& node, std::size_t index,
                                           std::int64_t channels) {
  const Tensor* tensor = graph.find_initializer(node.input(index));
  if (tensor == nullptr || !is_floating(tensor->dtype())) return std::nullopt;
  if (tensor->shape() != Shape{channels}) return std::nullopt;
  return to_doubles(*tensor);
}

std::optional<ChannelAffine> batch_norm_affine(const Graph& graph, const Node& node,
                                               const ChannelLayout& layout) {
  // Its channel axis is 1.
  if (layout.rank < 2 || layout.dims_after != layout.rank - 2) return std::nullopt;
  const auto gamma = batch_norm_parameter(graph, node, 1, layout.channels);
  const auto beta = batch_norm_parameter(graph, node, 2, layout.channels);
  const auto mean = batch_norm_parameter(graph, node, 3, layout.channels);
  const auto variance = batch_norm_parameter(graph, node, 4, layout.channels);
  if (!gamma || !beta || !mean || !variance) return std::nullopt;
  const auto epsilon = static_cast<double>(node.float_attribute("epsilon", 1e-5F));
  ChannelAffine affine = identity_affine(layout.channels);
  for (std::size_t c = 0; c < gamma->size(); ++c) {
    affine.scale[c] = (*gamma)[c] / std::sqrt((*variance)[c] + epsilon);
    affine.shift[c] = (*beta)[c] - (*mean)[c] * affine.scale[c];
  }
  return affine;
}

/// One number a channel from a constant that broadcasts along the channel axis only.
std::optional<Values> channel_values(const Tensor& constant, const ChannelLayout& layout) {
  if (!is_floating(constant.dtype()) || constant.rank() > std::max<std::int64_t>(layout.rank, 1)) {
    return std::nullopt;
  }
  const auto count = static_cast<std::size_t>(layout.channels);
  if (constant.size() == 1) return Values(count, to_doubles(constant).front());
  const std::int64_t axis = constant.rank() - layout.dims_after - 1;
  if (axis < 0 || constant.size() != layout.channels) return std::nullopt;
  if (constant.shape()[static_cast<std::size_t>(axis)] != layout.channels) return std::nullopt;
  return to_doubles(constant);
}

std::optional<ChannelAffine> arithmetic_affine(const Graph& graph, const Node& node,
                                               const ChannelLayout& layout) {
  const bool constant_first = graph.find_initializer(node.input(0)) != nullptr;
  const Tensor* constant = graph.find_initializer(node.input(constant_first ? 0 : 1));
  if (constant == nullptr) return std::nullopt;
  const auto values = channel_values(*constant, layout);
  if (!values) return std::nullopt;
  ChannelAffine affine = identity_affine(layout.channels);
  for (std::size_t c = 0; c < values->size(); ++c) {
    const double value = (*values)[c];
    if (node.is("Mul")) affine.scale[c] = value;
    if (node.is("Div")) affine.scale[c] = 1.0 / value;
    if (node.is("Add")) affine.shift[c] = value;
    if (node.is("Sub")) {
      affine.scale[c] = constant_first ? -1.0 : 1.0;
      affine.shift[c] = constant_first ? value : -value;
    }
  }
  return affine;
}

bool is_finite(const ChannelAffine& affine) {
  const auto finite = [](double value) { return std::isfinite(value); };
  return std::all_of(affine.scale.begin(), affine.scale.end(), finite) &&
         std::all_of(affine.shift.begin(), affine.shift.end(), finite);
}

}  // namespace

bool ChannelAffine::has_shift() const noexcept {
  return std::any_of(shift.begin(), shift.end(), [](double value) { return value != 0.0; });
}

bool ChannelAffine::has_scale() const noexcept {
  return std::any_of(scale.begin(), scale.end(), [](double value) { return value != 1.0; });
}

ChannelAffine identity_affine(std::int64_t channels) {
  const auto count = static_cast<std::size_t>(channels);
  return {Values(count, 1.0), Values(count, 0.0)};
}

ChannelAffine compose(const ChannelAffine& outer, const ChannelAffine& inner) {
  ChannelAffine both = outer;
  for (std::size_t c = 0; c < both.scale.size(); ++c) {
    both.scale[c] = outer.scale[c] * inner.scale[c];
    both.shift[c] = outer.scale[c] * inner.shift[c] + outer.shift[c];
  }
  return both;
}

std::string affine_input(const Graph& graph, const Node& node) {
  if (node.is("BatchNormalization")) {
    return is_inference_batch_norm(node) ? node.input(0) : std::string();
  }
  const bool arithmetic = node.is("Mul") || node.is("Add") || node.is("Sub") || node.is("Div");
  if (!arithmetic || node.inputs().size() != 2) return {};
  const bool first = graph.find_initializer(node.input(0)) != nullptr;
  const bool second = graph.find_initializer(node.input(1)) != nullptr;
  if (first == second || (first && node.is("Div"))) return {};
  return node.input(first ? 1 : 0);
}

std::optional<ChannelAffine> channel_affine(const Graph& graph, const Node& node,
                                            const ChannelLayout& layout) {
  if (layout.channels == 0 || affine_input(graph, node).empty()) return std::nullopt;
  auto affine = node.is("BatchNormalization") ? batch_norm_affine(graph, node, layout)
                                              : arithmetic_affine(graph, node, layout);
  if (!affine || !is_finite(*affine)) return std::nullopt;
  return affine;
}

}  // namespace hexquant::passes
