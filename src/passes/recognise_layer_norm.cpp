#include "passes/recognise_layer_norm.h"

#include <optional>
#include <unordered_set>
#include <utility>

#include "core/format.h"
#include "passes/normalization_match.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

constexpr std::int64_t kLayerNormOpset = 17;

struct LayerNorm {
  std::string x;
  std::string scale;  // "" = ones
  std::string shift;  // "" = none
  Shape shape;        // the normalized dimensions
  double epsilon = 0.0;
  Nodes nodes;
  const Node* last = nullptr;
};

/// x of difference = Sub(x, mean(x, axes)). `mean` receives the name of the mean.
std::optional<std::string> match_centred(const Graph& graph, const std::string& difference,
                                         RmsQuotient& match, std::string* mean_name = nullptr) {
  const Node* sub = match_producer(graph, difference, "Sub", match.nodes);
  if (sub == nullptr) return std::nullopt;
  const Node* mean = match_producer(graph, sub->input(1), "ReduceMean", match.nodes);
  if (mean == nullptr || kept_axes_from_end(graph, *mean) != match.axes) return std::nullopt;
  if (mean_name != nullptr) *mean_name = mean->output();
  const std::string x = skip_casts(graph, sub->input(0), match.nodes);
  if (skip_casts(graph, mean->input(0), match.nodes) != x) return std::nullopt;
  return x;
}

std::optional<Shape> normalized_shape(const Graph& graph, const std::string& x,
                                      const RmsQuotient& match) {
  if (known_dtype(graph, x) != DType::kFloat32) return std::nullopt;
  return last_dimensions(graph, x, static_cast<std::int64_t>(match.axes.size()));
}

std::optional<LayerNorm> match_quotient_form(const Graph& graph, const Node& node) {
  auto quotient = match_rms_quotient(graph, node);
  if (!quotient) return std::nullopt;
  const auto x = match_centred(graph, quotient->numerator, *quotient);
  if (!x || match_centred(graph, quotient->base, *quotient) != x) return std::nullopt;
  const auto shape = normalized_shape(graph, *x, *quotient);
  if (!shape) return std::nullopt;
  const AffineTail tail =
      match_affine_tail(graph, node.output(), *shape, *known_rank(graph, *x), true);
  LayerNorm match{*x,
                  tail.scale,
                  tail.shift,
                  *shape,
                  quotient->epsilon,
                  quotient->nodes,
                  tail.last != nullptr ? tail.last : &node};
  for (const Node* member : tail.nodes) add_once(match.nodes, *member);
  return match;
}

/// Mul(`one`, other): the other operand, Casts skipped.
std::optional<std::string> other_factor(const Graph& graph, const Node& product,
                                        const std::string& one, Nodes& nodes) {
  for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
    if (skip_casts(graph, product.input(index), nodes) != one) continue;
    return skip_casts(graph, product.input(1 - index), nodes);
  }
  return std::nullopt;
}

/// Add(Mul(x, r), Sub(shift, Mul(mean, r))) with r = inverse [* scale].
std::optional<LayerNorm> match_folded_operands(const Graph& graph, const Node& node,
                                               const std::string& scaled,
                                               const std::string& offset) {
  Nodes nodes;
  const Node* sub = match_producer(graph, offset, "Sub", nodes);
  const Node* scaled_x = match_producer(graph, scaled, "Mul", nodes);
  if (sub == nullptr || scaled_x == nullptr) return std::nullopt;
  const Node* scaled_mean = match_producer(graph, sub->input(1), "Mul", nodes);
  if (scaled_mean == nullptr) return std::nullopt;
  for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
    const std::string r = skip_casts(graph, scaled_x->input(index), nodes);
    const auto mean = other_factor(graph, *scaled_mean, r, nodes);
    if (!mean) continue;
    std::string inverse = r;
    std::string scale;
    if (const Node* product = match_producer(graph, r, "Mul", nodes)) {
      const bool first = graph.find_initializer(product->input(0)) != nullptr;
      scale = product->input(first ? 0 : 1);
      inverse = product->input(first ? 1 : 0);
    }
    auto quotient = match_inverse_rms(graph, inverse);
    if (!quotient) continue;
    std::string mean_name;
    const auto x = match_centred(graph, quotient->base, *quotient, &mean_name);
    if (!x || mean_name != *mean) continue;
    if (skip_casts(graph, scaled_x->input(1 - index), nodes) != *x) continue;
    const auto shape = normalized_shape(graph, *x, *quotient);
    if (!shape) continue;
    LayerNorm match{*x, scale, sub->input(0), *shape, quotient->epsilon, quotient->nodes, &node};
    for (const Node* member : nodes) add_once(match.nodes, *member);
    add_once(match.nodes, node);
    return match;
  }
  return std::nullopt;
}

bool is_affine_constant(const Graph& graph, const LayerNorm& match, const std::string& value) {
  const Tensor* tensor = graph.find_initializer(value);
  return tensor != nullptr && tensor->rank() <= *known_rank(graph, match.x) &&
         broadcast_constant(graph, value, match.shape).has_value();
}

std::optional<LayerNorm> match_folded_form(const Graph& graph, const Node& node) {
  if (!node.is("Add")) return std::nullopt;
  for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
    const auto match = match_folded_operands(graph, node, node.input(index), node.input(1 - index));
    if (!match || !is_affine_constant(graph, *match, match->shift)) continue;
    if (match->scale.empty() || is_affine_constant(graph, *match, match->scale)) return match;
  }
  return std::nullopt;
}

void replace(Graph& graph, const LayerNorm& match) {
  const std::string& name = match.last->name();
  std::vector<std::string> inputs{match.x, scale_of_shape(graph, match.scale, name, match.shape)};
  if (!match.shift.empty()) inputs.push_back(constant_of_shape(graph, match.shift, match.shape));
  const auto axis = -static_cast<std::int64_t>(match.shape.size());
  replace_nodes(graph, match.nodes, *match.last,
                {.op_type = "LayerNormalization",
                 .inputs = std::move(inputs),
                 .outputs = {},
                 .attributes = {{"axis", axis}, {"epsilon", static_cast<float>(match.epsilon)}}});
}

}  // namespace

PassReport recognise_layer_norm(Graph& graph) {
  PassReport report{.pass = "recognise_layer_norm", .applied_to = {}, .findings = {}};
  std::unordered_set<const Node*> gone;
  for (const Node* node : graph.node_list()) {
    if (gone.contains(node)) continue;
    auto match = match_quotient_form(graph, *node);
    if (!match) match = match_folded_form(graph, *node);
    if (!match) continue;
    const std::string name = match->last->name();
    const std::string open = find_open_value(graph, match->nodes, *match->last);
    if (!open.empty()) {
      report.findings.push_back(
          {"layer-norm-not-recognised", Severity::kWarning, name,
           format("a decomposed LayerNorm whose inner value '{}' is read elsewhere", open),
           "remove the other reader, so that the HTP computes it as one operation"});
      continue;
    }
    if (graph.opset() < kLayerNormOpset) {
      report.findings.push_back(
          {"layer-norm-not-recognised", Severity::kWarning, name,
           format("LayerNormalization needs opset 17, the model has {}", graph.opset()),
           "export the model with opset 17 or later"});
      continue;
    }
    gone.insert(match->nodes.begin(), match->nodes.end());
    replace(graph, *match);
    report.applied_to.push_back(name);
  }
  return report;
}

}  // namespace hexquant::passes
