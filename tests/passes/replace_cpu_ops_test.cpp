#include "passes/replace_cpu_ops.h"

#include "passes/infer_shapes.h"
#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using graph::Attributes;
using test::expect_applied;
using test::expect_untouched;
using test::PatternBuilder;

graph::Graph one(const std::string& op, const Attributes& attributes = {}, std::int64_t opset = 22,
                 const Shape& shape = {2, 3, 5}) {
  PatternBuilder b(shape, opset);
  graph::Graph graph = b.finish(b.op(op, {"x"}, attributes));
  (void)infer_shapes(graph, {});
  return graph;
}

/// The operation is gone, the function is not.
void expect_replaced(const graph::Graph& original, const std::string& op) {
  const graph::Graph changed = expect_applied(original, replace_cpu_ops);
  EXPECT_EQ(test::count_nodes(changed, op), 0) << op;
  EXPECT_NE(changed.find_type(changed.outputs()[0]), nullptr);
}

TEST(ReplaceCpuOps, ElementwiseOperations) {
  for (const float alpha : {1.0F, 0.4F, 3.0F}) {
    expect_replaced(one("Celu", {{"alpha", alpha}}), "Celu");
    expect_replaced(one("ThresholdedRelu", {{"alpha", alpha}}), "ThresholdedRelu");
  }
  expect_replaced(one("Selu"), "Selu");
  expect_replaced(one("Selu", {{"alpha", 1.2F}, {"gamma", 0.7F}}), "Selu");
  for (const char* op : {"Mish", "Softsign", "Sinh", "Cosh"}) expect_replaced(one(op), op);
}

TEST(ReplaceCpuOps, ShrinkOfEveryKind) {
  for (const float lambda : {0.5F, 1.0F, 0.0F}) {
    for (const float bias : {0.0F, 0.5F, -0.25F}) {
      expect_replaced(one("Shrink", {{"lambd", lambda}, {"bias", bias}}), "Shrink");
    }
  }
  const graph::Graph soft =
      expect_applied(one("Shrink", {{"lambd", 0.5F}, {"bias", 0.5F}}), replace_cpu_ops);
  EXPECT_EQ(test::count_nodes(soft, "Where"), 0) << "soft thresholding is two Relus";
}

TEST(ReplaceCpuOps, HardmaxTakesTheFirstOfEqualMaxima) {
  for (const std::int64_t axis : {-1, 0, 1, 2}) {
    expect_replaced(one("Hardmax", {{"axis", axis}}), "Hardmax");
  }
  graph::Graph graph = one("Hardmax", {}, 22, {2, 4});
  ASSERT_EQ(replace_cpu_ops(graph).applied_to.size(), 1U);
  const Tensor x = test::floats({2, 4}, {1, 7, 7, 2, 3, 3, 3, 3});
  const auto y = test::run_graph(graph, {{"x", x}})[0];
  EXPECT_EQ(to_doubles(y), (std::vector<double>{0, 1, 0, 0, 1, 0, 0, 0}));
}

TEST(ReplaceCpuOps, SumsAndMeansOfSeveralTensors) {
  for (const char* op : {"Sum", "Mean"}) {
    PatternBuilder b({2, 3});
    const std::string last = b.constant(test::random_floats({3}, 4));
    graph::Graph graph = b.finish(b.op(op, {"x", b.op("Neg", {"x"}), last}));
    (void)infer_shapes(graph, {});
    expect_replaced(graph, op);
  }
}

TEST(ReplaceCpuOps, LeavesWhatItCannotReplace) {
  expect_untouched(one("Relu"), replace_cpu_ops);
  const Findings findings = expect_untouched(one("Erf"), replace_cpu_ops);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].id, "cpu-op-stays");

  PatternBuilder free({-1, 3});
  graph::Graph graph = free.finish(free.op("Hardmax", {"x"}, {{"axis", std::int64_t{0}}}));
  (void)infer_shapes(graph, {});
  EXPECT_EQ(expect_untouched(graph, replace_cpu_ops).size(), 1U) << "the axis has no fixed size";
}

TEST(ReplaceCpuOps, WouldChangeTheOutput) {
  // Celu without its inner factor, an easy mistake, is another function.
  const graph::Graph celu = one("Celu", {{"alpha", 0.4F}});
  PatternBuilder b({2, 3, 5});
  const graph::Graph wrong = b.finish(b.op("Elu", {"x"}, {{"alpha", 0.4F}}));
  const auto feeds = test::random_feeds(celu, 8);
  EXPECT_GT(
      test::largest_difference(test::run_graph(celu, feeds)[0], test::run_graph(wrong, feeds)[0]),
      1e-2);
}

}  // namespace
}  // namespace hexquant::passes
