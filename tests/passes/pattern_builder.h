#pragma once

// Builds decomposed patterns node by node for the tests of the recognise_* and fold_* passes.

#include <string>
#include <utility>
#include <vector>

#include "passes/pass_testing.h"

namespace hexquant::test {

/// Both forms of a pattern round about ten times in float32 (2^-24 each, relative to the largest
/// value); sums over up to 64 elements add as much again. Measured: below 1e-6 everywhere.
inline constexpr double kFloatRounding = 4e-6;

/// A graph under construction with input "x"; `op` names values v0, v1, ...
class PatternBuilder {
 public:
  explicit PatternBuilder(const Shape& x_shape, std::int64_t opset = 21)
      : graph(empty_graph(opset)) {
    graph.add_input("x", float_type(x_shape));
  }

  /// Adds a node and returns the name of its output.
  std::string op(const std::string& op_type, const std::vector<std::string>& inputs,
                 const graph::Attributes& attributes = {}) {
    const std::string output = "v" + std::to_string(count_++);
    graph.add_node({op_type, inputs, {output}, attributes, "node_" + output});
    return output;
  }
  std::string scalar(float value, const Shape& shape = {}) {
    return constant(floats(shape, {value}));
  }
  std::string constant(Tensor tensor) {
    const std::string name = "c" + std::to_string(count_++);
    graph.add_initializer(name, std::move(tensor));
    return name;
  }
  std::string cast(const std::string& value) {
    graph.set_type(value, *graph.find_type("x"));
    return op("Cast", {value}, {{"to", std::int64_t{1}}});
  }
  /// Mean over the axes, kept; as input from opset 18 on, before that as attribute.
  std::string mean(const std::string& value, const std::vector<std::int64_t>& axes = {-1},
                   std::int64_t keepdims = 1) {
    if (graph.opset() < 18)
      return op("ReduceMean", {value}, {{"axes", axes}, {"keepdims", keepdims}});
    return op("ReduceMean", {value, constant(ints(axes))}, {{"keepdims", keepdims}});
  }
  graph::Graph finish(const std::string& output) {
    graph.add_output(output);
    return graph;
  }

  graph::Graph graph;

 private:
  int count_ = 0;
};

/// The only node of this type; fails the test when there is not exactly one.
inline const graph::Node& only_node(const graph::Graph& graph, std::string_view op_type) {
  EXPECT_EQ(count_nodes(graph, op_type), 1) << op_type;
  for (const graph::Node& node : graph.nodes()) {
    if (node.op_type() == op_type) return node;
  }
  return graph.nodes().front();
}

/// Runs the pass and expects that it did something without changing the outputs.
template <typename Pass>
graph::Graph expect_applied(const graph::Graph& original, const Pass& pass, std::size_t times = 1,
                            double tolerance = kFloatRounding) {
  graph::Graph changed = original;
  const auto report = pass(changed);
  EXPECT_EQ(report.applied_to.size(), times);
  changed.sort();
  expect_same_outputs(original, changed, tolerance);
  return changed;
}

/// Runs the pass and expects that it left every node alone; returns the findings.
template <typename Pass>
Findings expect_untouched(const graph::Graph& original, const Pass& pass) {
  graph::Graph changed = original;
  const auto report = pass(changed);
  EXPECT_TRUE(report.applied_to.empty());
  EXPECT_EQ(original.nodes().size(), changed.nodes().size());
  for (const graph::Node& node : original.nodes()) {
    EXPECT_EQ(count_nodes(original, node.op_type()), count_nodes(changed, node.op_type()));
  }
  return report.findings;
}

}  // namespace hexquant::test
