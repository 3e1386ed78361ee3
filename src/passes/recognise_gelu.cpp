#include "passes/recognise_gelu.h"

#include <cmath>
#include <numbers>
#include <optional>
#include <unordered_set>

#include "core/format.h"
#include "passes/polynomial.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

constexpr std::int64_t kGeluOpset = 20;
// x*t, Add(1), Mul(x), Mul(0.5) and one neutral Cast.
constexpr int kMaxSteps = 5;

struct Gelu {
  std::string x;
  Nodes nodes;
  const Node* last = nullptr;
};

Polynomial argument_of(bool tanh_form) {
  if (!tanh_form) return {{{1, 0}, 1.0 / std::numbers::sqrt2}};
  const double factor = std::sqrt(2.0 / std::numbers::pi);
  return {{{1, 0}, factor}, {{3, 0}, 0.044715 * factor}};
}

/// Walks down from t until the value is 0.5 x + 0.5 x t.
std::optional<Gelu> match_product(const Graph& graph, const Node& transcendental,
                                  const std::string& x) {
  const Polynomial target{{{1, 0}, 0.5}, {{1, 1}, 0.5}};
  const Node* node = &transcendental;
  for (int step = 0; step < kMaxSteps; ++step) {
    node = graph.single_consumer(node->output());
    if (node == nullptr || node->outputs().size() != 1) return std::nullopt;
    Gelu match{x, {}, node};
    const auto value = expand(graph, node->output(), x, transcendental.output(), match.nodes);
    if (value && is_near(*value, target)) return match;
  }
  return std::nullopt;
}

std::optional<Gelu> match_gelu(const Graph& graph, const Node& node) {
  if (!node.is("Erf") && !node.is("Tanh")) return std::nullopt;
  const Polynomial argument = argument_of(node.is("Tanh"));
  for (const std::string& x : polynomial_sources(graph, node.input(0))) {
    Nodes nodes;
    const auto value = expand(graph, node.input(0), x, "", nodes);
    if (!value || !is_near(*value, argument)) continue;
    auto match = match_product(graph, node, x);
    if (!match) continue;
    add_once(match->nodes, node);
    for (const Node* member : nodes) add_once(match->nodes, *member);
    return match;
  }
  return std::nullopt;
}

void replace(Graph& graph, const Gelu& match, bool tanh_form) {
  const bool standard = graph.opset() >= kGeluOpset;
  graph::NodeSpec spec{.op_type = "Gelu", .inputs = {match.x}, .outputs = {}};
  if (standard) {
    spec.attributes["approximate"] = std::string(tanh_form ? "tanh" : "none");
  } else {
    spec.domain = "com.microsoft";
    graph.opsets.try_emplace("com.microsoft", 1);
  }
  replace_nodes(graph, match.nodes, *match.last, std::move(spec));
}

Finding not_recognised(const std::string& where, const std::string& reason,
                       const std::string& fix) {
  return {"gelu-not-recognised", Severity::kWarning, where, reason, fix};
}

}  // namespace

PassReport recognise_gelu(Graph& graph) {
  PassReport report{.pass = "recognise_gelu", .applied_to = {}, .findings = {}};
  std::unordered_set<const Node*> gone;
  for (const Node* node : graph.node_list()) {
    if (gone.contains(node)) continue;
    auto match = match_gelu(graph, *node);
    if (!match) continue;
    const bool tanh_form = node->is("Tanh");
    const std::string name = match->last->name();
    const std::string open = find_open_value(graph, match->nodes, *match->last);
    if (!open.empty()) {
      report.findings.push_back(not_recognised(
          name, format("a decomposed GELU whose inner value '{}' is read elsewhere", open),
          "remove the other reader, so that the HTP computes it as one operation"));
      continue;
    }
    if (tanh_form && graph.opset() < kGeluOpset) {
      report.findings.push_back(not_recognised(
          name,
          format("Gelu with approximate=tanh needs opset 20, the model has {}", graph.opset()),
          "export the model with opset 20 or later"));
      continue;
    }
    gone.insert(match->nodes.begin(), match->nodes.end());
    replace(graph, *match, tanh_form);
    report.applied_to.push_back(name);
  }
  return report;
}

}  // namespace hexquant::passes
