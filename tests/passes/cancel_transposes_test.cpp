#include "passes/cancel_transposes.h"

#include "passes/infer_shapes.h"
#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::count_nodes;
using test::PatternBuilder;
using Ints = std::vector<std::int64_t>;

const Ints kToLast = {0, 2, 3, 1};
const Ints kToFirst = {0, 3, 1, 2};

std::string transpose(PatternBuilder& b, const std::string& value, const Ints& perm) {
  return b.op("Transpose", {value}, {{"perm", perm}});
}

graph::Graph typed(graph::Graph graph) {
  (void)infer_shapes(graph, {});
  return graph;
}

/// Runs the pass; the outputs must stay the same bits.
graph::Graph cancelled(const graph::Graph& original, std::ptrdiff_t left) {
  graph::Graph changed = original;
  const PassReport report = cancel_transposes(changed);
  EXPECT_EQ(report.applied_to.empty(), count_nodes(original, "Transpose") == left);
  EXPECT_EQ(count_nodes(changed, "Transpose"), left);
  EXPECT_EQ(count_nodes(changed, "Identity"), 0);
  test::expect_same_outputs(original, changed, 0.0);
  for (const graph::Node& node : changed.nodes()) {
    const graph::ValueType* type = changed.find_type(node.output());
    if (type == nullptr || !type->shape || changed.is_output(node.output())) continue;
    graph::Graph fresh = changed;
    (void)infer_shapes(fresh, {});
    EXPECT_EQ(fresh.find_type(node.output())->fixed_shape(), type->fixed_shape()) << node.output();
  }
  return changed;
}

TEST(CancelTransposes, ThroughElementwiseOperationsAndTheirConstants) {
  PatternBuilder b({2, 3, 4, 5});
  std::string v = b.op("Relu", {transpose(b, "x", kToLast)});
  v = b.op("Mul", {v, b.constant(test::random_floats({3}, 1))});        // channels, last
  v = b.op("Add", {b.constant(test::random_floats({4, 5, 1}, 2)), v});  // places
  v = b.op("Clip", {v, b.scalar(-1.0F), b.scalar(1.0F)});
  cancelled(typed(b.finish(transpose(b, v, kToFirst))), 0);
}

TEST(CancelTransposes, AxesAndPadsFollow) {
  PatternBuilder b({2, 3, 4, 5});
  const std::string t = transpose(b, "x", kToLast);
  std::string v = b.op("Concat", {t, b.op("Neg", {t})}, {{"axis", std::int64_t{-1}}});
  v = b.op("Softmax", {v}, {{"axis", std::int64_t{3}}});
  v = b.op("Pad", {v, b.constant(test::ints({0, 1, 2, 0, 0, 0, 1, 0})), b.scalar(0.5F)});
  v = b.op("ReduceMax", {v, b.constant(test::ints({1, 2}))}, {{"keepdims", std::int64_t{1}}});
  cancelled(typed(b.finish(transpose(b, v, kToFirst))), 0);
}

TEST(CancelTransposes, ResidualBranchesGoTogether) {
  PatternBuilder b({2, 3, 4, 4});
  const std::string left = b.op("Relu", {transpose(b, "x", kToLast)});
  const std::string right = b.op("Tanh", {transpose(b, b.op("Neg", {"x"}), kToLast)});
  const std::string sum = b.op("Add", {left, right});
  cancelled(typed(b.finish(transpose(b, sum, kToFirst))), 0);
}

TEST(CancelTransposes, QuantizedModels) {
  PatternBuilder b({1, 2, 3, 4});
  const std::string scale = b.scalar(0.05F);
  const std::string zero = b.constant(Tensor::scalar(std::uint8_t{100}));
  std::string v = transpose(b, "x", kToLast);
  v = b.op("DequantizeLinear", {b.op("QuantizeLinear", {v, scale, zero}), scale, zero});
  v = b.op("Relu", {v});
  cancelled(typed(b.finish(transpose(b, v, kToFirst))), 0);
}

TEST(CancelTransposes, OneThatMovesLessStays) {
  // Two big ones go for a small one: the maximum over places is read in the other order.
  PatternBuilder b({1, 8, 6, 6});
  const std::string t = b.op("Relu", {transpose(b, "x", kToLast)});
  const std::string small =
      b.op("ReduceMax", {t, b.constant(test::ints({1, 2}))}, {{"keepdims", std::int64_t{1}}});
  graph::Graph graph = b.finish(transpose(b, t, kToFirst));
  graph.add_output(small);
  cancelled(typed(std::move(graph)), 1);
}

TEST(CancelTransposes, StayWhereNothingIsGained) {
  PatternBuilder alone({2, 3, 4, 5});
  cancelled(typed(alone.finish(alone.op("Relu", {transpose(alone, "x", kToLast)}))), 1);

  // Not the inverse: the axes end elsewhere.
  PatternBuilder other({2, 3, 4, 5});
  const std::string v = other.op("Relu", {transpose(other, "x", kToLast)});
  cancelled(typed(other.finish(transpose(other, v, kToLast))), 2);

  // A matrix product sees the order.
  PatternBuilder product({2, 4, 4, 4});
  const std::string p = product.op("MatMul", {transpose(product, "x", kToLast), "x"});
  cancelled(typed(product.finish(transpose(product, p, kToFirst))), 2);
}

TEST(CancelTransposes, WouldChangeTheOutput) {
  // Without renumbering the axis, or with the constant as it is, the numbers differ.
  PatternBuilder right({1, 2, 2, 2});
  const std::string t = transpose(right, "x", kToLast);
  const std::string constant = right.constant(test::floats({2}, {1.0F, 10.0F}));
  const graph::Graph original =
      typed(right.finish(transpose(right, right.op("Mul", {t, constant}), kToFirst)));
  PatternBuilder wrong({1, 2, 2, 2});
  const graph::Graph naive =
      typed(wrong.finish(wrong.op("Mul", {"x", wrong.constant(test::floats({2}, {1.0F, 10.0F}))})));
  const auto feeds = test::random_feeds(original, 5);
  EXPECT_GT(test::largest_difference(test::run_graph(original, feeds)[0],
                                     test::run_graph(naive, feeds)[0]),
            0.1);
  cancelled(original, 0);
}

TEST(CancelTransposes, SelfInverseLoopsAreLeftAlone) {
  PatternBuilder b({3, 3});
  const std::string t = transpose(b, "x", {1, 0});
  const std::string v = b.op("Relu", {t});
  graph::Graph original = typed(b.finish(b.op("Add", {v, transpose(b, v, {1, 0})})));
  graph::Graph changed = original;
  (void)cancel_transposes(changed);
  test::expect_same_outputs(original, changed, 0.0);
}

}  // namespace
}  // namespace hexquant::passes
