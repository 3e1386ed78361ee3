#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "graph/graph.h"
#include "passes/graph_match.h"

// Activation functions are written down in many orders: x * 0.5 * (1 + erf), 0.5 * (x + x * erf),
// x * (0.5 + 0.5 * erf) ... All are one polynomial in x and t = erf(..), so the recognisers compare
// polynomials instead of listing orders.
namespace hexquant::passes {

/// Powers of x and of t.
using Powers = std::pair<int, int>;

/// Sum of coefficient * x^i * t^j; terms without a coefficient are zero.
using Polynomial = std::map<Powers, double>;

/// Same terms, coefficients equal within kConstantTolerance.
[[nodiscard]] bool is_near(const Polynomial& a, const Polynomial& b);

/// `value` written as a polynomial of the values x and t (t may be ""), following Add, Sub, Mul,
/// Div by a constant, Neg, Pow with exponent 2 or 3, and Casts that keep the type, upwards to x, t
/// and scalar float constants. All nodes on the way are added to `nodes`.
/// Absent when some other value is needed or the degree passes 4.
[[nodiscard]] std::optional<Polynomial> expand(const graph::Graph& graph, const std::string& value,
                                               const std::string& x, const std::string& t,
                                               Nodes& nodes);

/// Values from which `value` is computed by the same operations, nearest first, itself included:
/// the candidates for x.
[[nodiscard]] std::vector<std::string> polynomial_sources(const graph::Graph& graph,
                                                          const std::string& value);

}  // namespace hexquant::passes
