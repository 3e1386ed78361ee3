#include "passes/polynomial.h"

#include <algorithm>
#include <cmath>

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

constexpr int kMaxDegree = 4;
// The longest known form (tanh GELU) is 6 operations deep; the limit bounds the work on long
// chains of residual additions.
constexpr int kMaxDepth = 8;

void add_term(Polynomial& sum, const Powers& powers, double coefficient) {
  double& total = sum[powers];
  total += coefficient;
  if (total == 0.0) sum.erase(powers);
}

Polynomial combine(const Polynomial& a, const Polynomial& b, double sign) {
  Polynomial sum = a;
  for (const auto& [powers, coefficient] : b) add_term(sum, powers, sign * coefficient);
  return sum;
}

std::optional<Polynomial> multiply(const Polynomial& a, const Polynomial& b) {
  Polynomial product;
  for (const auto& [p, ca] : a) {
    for (const auto& [q, cb] : b) {
      const Powers powers{p.first + q.first, p.second + q.second};
      if (powers.first + powers.second > kMaxDegree) return std::nullopt;
      add_term(product, powers, ca * cb);
    }
  }
  return product;
}

std::optional<double> as_constant(const Polynomial& p) {
  if (p.size() != 1 || p.begin()->first != Powers{0, 0}) return std::nullopt;
  return p.begin()->second;
}

bool is_arithmetic(const Node& node) {
  return node.is("Add") || node.is("Sub") || node.is("Mul") || node.is("Div") || node.is("Neg") ||
         node.is("Pow") || node.is("Cast");
}

class Expander {
 public:
  Expander(const Graph& graph, const std::string& x, const std::string& t, Nodes& nodes)
      : graph_(graph), x_(x), t_(t), nodes_(nodes) {
    max_rank_ = std::max<std::int64_t>(known_rank(graph, x).value_or(1), 1);
  }

  std::optional<Polynomial> expand(const std::string& value, int depth) {
    if (value == x_) return Polynomial{{{1, 0}, 1.0}};
    if (!t_.empty() && value == t_) return Polynomial{{{0, 1}, 1.0}};
    if (is_floating(known_dtype(graph_, value))) {
      if (const auto constant = scalar_constant(graph_, value, max_rank_)) {
        return Polynomial{{{0, 0}, *constant}};
      }
    }
    const Node* node = graph_.producer(value);
    if (node == nullptr || depth == 0 || !is_arithmetic(*node)) return std::nullopt;
    add_once(nodes_, *node);
    return expand_node(*node, depth - 1);
  }

 private:
  std::optional<Polynomial> expand_node(const Node& node, int depth) {
    if (node.is("Cast")) return expand_cast(node, depth);
    const auto a = expand(node.input(0), depth);
    if (!a) return std::nullopt;
    if (node.is("Neg")) return combine({}, *a, -1.0);
    if (node.is("Pow")) return expand_power(node, *a);
    const auto b = expand(node.input(1), depth);
    if (!b) return std::nullopt;
    if (node.is("Add")) return combine(*a, *b, 1.0);
    if (node.is("Sub")) return combine(*a, *b, -1.0);
    if (node.is("Mul")) return multiply(*a, *b);
    const auto divisor = as_constant(*b);
    if (!divisor || *divisor == 0.0) return std::nullopt;
    return multiply(*a, {{{0, 0}, 1.0 / *divisor}});
  }

  std::optional<Polynomial> expand_cast(const Node& node, int depth) {
    if (!is_neutral_cast(graph_, node)) return std::nullopt;
    return expand(node.input(0), depth);
  }

  std::optional<Polynomial> expand_power(const Node& node, const Polynomial& base) const {
    const auto exponent = scalar_constant(graph_, node.input(1), max_rank_);
    if (!exponent) return std::nullopt;
    if (*exponent == 2.0) return multiply(base, base);
    const auto square = multiply(base, base);
    if (*exponent != 3.0 || !square) return std::nullopt;
    return multiply(*square, base);
  }

  const Graph& graph_;
  const std::string& x_;
  const std::string& t_;
  Nodes& nodes_;
  std::int64_t max_rank_ = 1;
};

}  // namespace

bool is_near(const Polynomial& a, const Polynomial& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& s, const auto& t) {
    return s.first == t.first && is_near(s.second, t.second);
  });
}

std::optional<Polynomial> expand(const Graph& graph, const std::string& value, const std::string& x,
                                 const std::string& t, Nodes& nodes) {
  return Expander(graph, x, t, nodes).expand(value, kMaxDepth);
}

std::vector<std::string> polynomial_sources(const Graph& graph, const std::string& value) {
  std::vector<std::string> sources{value};
  std::vector<int> depths{0};
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Node* node = graph.producer(sources[i]);
    if (node == nullptr || !is_arithmetic(*node) || depths[i] == kMaxDepth) continue;
    for (const std::string& input : node->inputs()) {
      if (input.empty() || graph.find_initializer(input) != nullptr) continue;
      if (std::find(sources.begin(), sources.end(), input) != sources.end()) continue;
      sources.push_back(input);
      depths.push_back(depths[i] + 1);
    }
  }
  return sources;
}

}  // namespace hexquant::passes
