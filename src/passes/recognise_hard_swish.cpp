#include "passes/recognise_hard_swish.h"

#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/format.h"
#include "passes/polynomial.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

constexpr std::int64_t kHardSwishOpset = 14;
constexpr double kSwishAlpha = 1.0 / 6.0;
// Mul(x), Div(6) and a neutral Cast.
constexpr int kMaxSteps = 3;

/// output = min(max(input, 0), high).
struct Clamp {
  std::string input;
  double high = 0.0;
  Nodes nodes;
  const Node* last = nullptr;
};

/// high * HardSigmoid(x).
struct HardActivation {
  std::string x;
  double alpha = 0.0;
  double beta = 0.0;
  Nodes nodes;
  const Node* last = nullptr;
  bool is_swish = false;
};

double clip_bound(const Graph& graph, const Node& node, std::size_t index, const char* attribute) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (node.find_attribute(attribute) != nullptr) {
    return static_cast<double>(node.float_attribute(attribute, 0.0F));
  }
  return scalar_constant(graph, node.input(index)).value_or(kNone);
}

std::optional<Clamp> match_clip(const Graph& graph, const Node& node) {
  if (clip_bound(graph, node, 1, "min") != 0.0) return std::nullopt;
  const double high = clip_bound(graph, node, 2, "max");
  if (!(high > 0.0)) return std::nullopt;
  return Clamp{node.input(0), high, {&node}, &node};
}

/// max(., 0): Relu or Max with the constant 0.
std::optional<std::string> match_lower(const Graph& graph, const Node& node) {
  if (node.is("Relu")) return node.input(0);
  if (!node.is("Max")) return std::nullopt;
  const auto operands = split_scalar(graph, node);
  if (!operands || operands->constant != 0.0) return std::nullopt;
  return operands->tensor;
}

/// min(., high) with a positive constant.
std::optional<Operands> match_upper(const Graph& graph, const Node& node) {
  if (!node.is("Min")) return std::nullopt;
  const auto operands = split_scalar(graph, node);
  if (!operands || !(operands->constant > 0.0)) return std::nullopt;
  return operands;
}

std::optional<Clamp> match_clamp(const Graph& graph, const Node& node) {
  if (node.is("Clip")) return match_clip(graph, node);
  if (const auto upper = match_upper(graph, node)) {
    const Node* inner = graph.producer(upper->tensor);
    if (inner == nullptr) return std::nullopt;
    const auto input = match_lower(graph, *inner);
    if (!input) return std::nullopt;
    return Clamp{*input, upper->constant, {inner, &node}, &node};
  }
  const auto lower = match_lower(graph, node);
  if (!lower) return std::nullopt;
  const Node* inner = graph.producer(*lower);
  if (inner == nullptr) return std::nullopt;
  const auto upper = match_upper(graph, *inner);
  if (!upper) return std::nullopt;
  return Clamp{upper->tensor, upper->constant, {inner, &node}, &node};
}

bool is_standard(double alpha, double beta) {
  return is_near(beta, 0.5) && (is_near(alpha, kSwishAlpha) || is_near(alpha, 0.2));
}

/// Finds x such that clamp.input / clamp.high = alpha x + beta for a standard pair.
std::optional<HardActivation> match_line(const Graph& graph, const Clamp& clamp) {
  for (const std::string& x : polynomial_sources(graph, clamp.input)) {
    Nodes nodes = clamp.nodes;
    auto line = expand(graph, clamp.input, x, "", nodes);
    if (!line || line->size() != 2) continue;
    const double alpha = (*line)[{1, 0}] / clamp.high;
    const double beta = (*line)[{0, 0}] / clamp.high;
    if (!is_standard(alpha, beta)) continue;
    return HardActivation{x, alpha, beta, std::move(nodes), nullptr, false};
  }
  return std::nullopt;
}

/// Walks down from t = high * HardSigmoid(x) to HardSwish, or at least to HardSigmoid.
std::optional<HardActivation> match_readers(const Graph& graph, const HardActivation& start,
                                            const Node& clamp, double high, bool allow_swish) {
  const Polynomial sigmoid{{{0, 1}, 1.0 / high}};
  const Polynomial swish{{{1, 1}, 1.0 / high}};
  std::optional<HardActivation> best;
  const Node* node = &clamp;
  for (int step = 0; step <= kMaxSteps && node != nullptr; ++step) {
    HardActivation match = start;
    match.last = node;
    const auto value = expand(graph, node->output(), start.x, clamp.output(), match.nodes);
    if (value && is_near(*value, sigmoid)) best = match;
    if (value && allow_swish && is_near(*value, swish)) {
      match.is_swish = true;
      return match;
    }
    node = graph.single_consumer(node->output());
  }
  return best;
}

std::optional<HardActivation> match_hard(const Graph& graph, const Node& node, bool allow_swish) {
  if (node.is("HardSigmoid")) {
    const double alpha = static_cast<double>(node.float_attribute("alpha", 0.2F));
    const double beta = static_cast<double>(node.float_attribute("beta", 0.5F));
    if (!allow_swish || !is_near(alpha, kSwishAlpha) || !is_near(beta, 0.5)) return std::nullopt;
    const HardActivation start{node.input(0), alpha, beta, {&node}, nullptr, false};
    auto match = match_readers(graph, start, node, 1.0, true);
    return match && match->is_swish ? match : std::nullopt;
  }
  const auto clamp = match_clamp(graph, node);
  if (!clamp || known_dtype(graph, clamp->input) == DType::kFloat64) return std::nullopt;
  const auto start = match_line(graph, *clamp);
  if (!start) return std::nullopt;
  const bool swish = allow_swish && is_near(start->alpha, kSwishAlpha);
  return match_readers(graph, *start, node, clamp->high, swish);
}

void replace(Graph& graph, const HardActivation& match) {
  graph::NodeSpec spec{.op_type = "HardSwish", .inputs = {match.x}, .outputs = {}};
  if (!match.is_swish) {
    spec.op_type = "HardSigmoid";
    spec.attributes = {{"alpha", static_cast<float>(match.alpha)},
                       {"beta", static_cast<float>(match.beta)}};
  }
  replace_nodes(graph, match.nodes, *match.last, std::move(spec));
}

void report_old_opset(const Graph& graph, const Node& node, PassReport& report) {
  const auto swish = match_hard(graph, node, true);
  if (!swish || !swish->is_swish) return;
  report.findings.push_back({"hard-swish-not-recognised", Severity::kWarning, swish->last->name(),
                             format("HardSwish needs opset 14, the model has {}", graph.opset()),
                             "export the model with opset 14 or later"});
}

}  // namespace

PassReport recognise_hard_swish(Graph& graph) {
  PassReport report{.pass = "recognise_hard_swish", .applied_to = {}, .findings = {}};
  const bool allow_swish = graph.opset() >= kHardSwishOpset;
  std::unordered_set<const Node*> gone;
  for (const Node* node : graph.node_list()) {
    if (gone.contains(node)) continue;
    if (!allow_swish) report_old_opset(graph, *node, report);
    auto match = match_hard(graph, *node, allow_swish);
    if (!match) continue;
    const std::string name = match->last->name();
    const std::string open = find_open_value(graph, match->nodes, *match->last);
    if (!open.empty()) {
      report.findings.push_back(
          {"hard-swish-not-recognised", Severity::kWarning, name,
           format("a decomposed {} whose inner value '{}' is read elsewhere",
                  match->is_swish ? "HardSwish" : "HardSigmoid", open),
           "remove the other reader, so that the HTP computes it as one operation"});
      continue;
    }
    gone.insert(match->nodes.begin(), match->nodes.end());
    replace(graph, *match);
    report.applied_to.push_back(name);
  }
  return report;
}

}  // namespace hexquant::passes
