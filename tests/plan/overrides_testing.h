#pragma once

#include <algorithm>
#include <set>
#include <string>

#include "plan/plan.h"
#include "support/graph_builder.h"
#include "target/target.h"

// Small graphs and questions about their plans.
namespace hexquant::plan {

inline const Shape kImage = {1, 8, 8, 8};

inline quant::QuantPlan plan_of(const test::GraphBuilder& builder, const PlanOptions& options,
                                const std::string& soc = "SM8650") {
  return make_plan(builder.graph(), target::load_target(soc), options);
}

/// Adds a 3x3 convolution `y` with weights `y_w` and bias `y_b`.
inline test::GraphBuilder& conv(test::GraphBuilder& builder, const std::string& x,
                                const std::string& y) {
  builder.constant(y + "_w", {8, 8, 3, 3}).constant(y + "_b", {8});
  return builder.node("Conv", {x, y + "_w", y + "_b"}, {y}, kImage);
}

/// x -> Conv c -> Relu r -> Conv d -> Conv y.
inline test::GraphBuilder chain() {
  test::GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Relu", {"c"}, {"r"}, kImage);
  conv(b, "r", "d");
  conv(b, "d", "y").output("y");
  return b;
}

inline std::set<std::string> activations(const quant::QuantPlan& plan) {
  std::set<std::string> names;
  for (const auto& [name, policy] : plan.tensors) {
    if (policy.role == quant::Role::kActivation) names.insert(name);
  }
  return names;
}

inline bool has_finding(const quant::QuantPlan& plan, const std::string& id,
                        const std::string& text = "") {
  return std::any_of(plan.findings.begin(), plan.findings.end(), [&](const Finding& finding) {
    return finding.id == id &&
           (finding.where + ": " + finding.reason).find(text) != std::string::npos;
  });
}

inline const quant::LayerDecision& row(const quant::QuantPlan& plan, const std::string& node) {
  const auto found = std::find_if(plan.layers.begin(), plan.layers.end(),
                                  [&](const auto& layer) { return layer.node == node; });
  return found == plan.layers.end() ? plan.layers.at(plan.layers.size()) : *found;
}

}  // namespace hexquant::plan
