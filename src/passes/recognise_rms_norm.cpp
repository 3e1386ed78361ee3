#include "passes/recognise_rms_norm.h"

#include <unordered_set>
#include <utility>

#include "core/format.h"
#include "passes/normalization_match.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

constexpr std::int64_t kRmsNormOpset = 23;

struct RmsNorm {
  RmsQuotient quotient;
  std::string scale;  // "" = ones
  Shape shape;        // the normalized dimensions
  const Node* last = nullptr;
};

std::optional<RmsNorm> match_rms_norm(const Graph& graph, const Node& node) {
  auto quotient = match_rms_quotient(graph, node);
  if (!quotient || quotient->numerator != quotient->base) return std::nullopt;
  const std::string& x = quotient->base;
  if (known_dtype(graph, x) != DType::kFloat32) return std::nullopt;
  const auto shape = last_dimensions(graph, x, static_cast<std::int64_t>(quotient->axes.size()));
  if (!shape) return std::nullopt;
  const AffineTail tail =
      match_affine_tail(graph, node.output(), *shape, *known_rank(graph, x), false);
  for (const Node* member : tail.nodes) add_once(quotient->nodes, *member);
  return RmsNorm{std::move(*quotient), tail.scale, *shape,
                 tail.last != nullptr ? tail.last : &node};
}

void replace(Graph& graph, const RmsNorm& match) {
  const std::string scale = scale_of_shape(graph, match.scale, match.last->name(), match.shape);
  const auto axis = -static_cast<std::int64_t>(match.shape.size());
  const bool standard = graph.opset() >= kRmsNormOpset;
  replace_nodes(
      graph, match.quotient.nodes, *match.last,
      {.op_type = standard ? "RMSNormalization" : "SimplifiedLayerNormalization",
       .inputs = {match.quotient.base, scale},
       .outputs = {},
       .attributes = {{"axis", axis}, {"epsilon", static_cast<float>(match.quotient.epsilon)}}});
}

}  // namespace

PassReport recognise_rms_norm(Graph& graph) {
  PassReport report{.pass = "recognise_rms_norm", .applied_to = {}, .findings = {}};
  std::unordered_set<const Node*> gone;
  for (const Node* node : graph.node_list()) {
    if (gone.contains(node)) continue;
    auto match = match_rms_norm(graph, *node);
    if (!match) continue;
    const std::string name = match->last->name();
    const std::string open = find_open_value(graph, match->quotient.nodes, *match->last);
    if (!open.empty()) {
      report.findings.push_back(
          {"rms-norm-not-recognised", Severity::kWarning, name,
           format("a decomposed RMSNorm whose inner value '{}' is read elsewhere", open),
           "remove the other reader, so that the HTP computes it as one operation"});
      continue;
    }
    gone.insert(match->quotient.nodes.begin(), match->quotient.nodes.end());
    replace(graph, *match);
    report.applied_to.push_back(name);
  }
  return report;
}

}  // namespace hexquant::passes
