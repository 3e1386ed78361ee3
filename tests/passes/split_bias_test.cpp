#include "passes/split_bias.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::count_nodes;
using test::expect_applied;
using test::only_node;
using test::PatternBuilder;
using test::random_floats;
using ::testing::IsEmpty;

PassReport split_all(graph::Graph& graph) {
  return split_bias(graph, biased_products(graph));
}

graph::Graph gemm(const Shape& bias, const graph::Attributes& attributes = {}) {
  PatternBuilder b({3, 4});
  return b.finish(
      b.op("Gemm", {"x", b.constant(random_floats({4, 5}, 3)), b.constant(random_floats(bias, 4))},
           attributes));
}

graph::Graph conv(const Shape& weight, const graph::Attributes& attributes = {}) {
  PatternBuilder b({2, 4, 5, 6});
  return b.finish(
      b.op("Conv",
           {"x", b.constant(random_floats(weight, 3)), b.constant(random_floats({weight[0]}, 4))},
           attributes));
}

TEST(SplitBias, GemmKeepsItsFunction) {
  for (const Shape& bias : {Shape{5}, Shape{1, 5}, Shape{3, 1}, Shape{}}) {
    const graph::Graph changed = expect_applied(gemm(bias), split_all);
    EXPECT_EQ(only_node(changed, "Gemm").inputs().size(), 2U);
    EXPECT_EQ(count_nodes(changed, "Add"), 1);
  }
}

TEST(SplitBias, PointwiseConvolutionKeepsItsFunctionAndName) {
  const graph::Graph before = conv({7, 4, 1, 1});
  const graph::Graph changed = expect_applied(before, split_all);
  const graph::Node& node = only_node(changed, "Conv");
  EXPECT_EQ(node.name(), only_node(before, "Conv").name());
  EXPECT_EQ(node.inputs().size(), 2U);
  const graph::Node& sum = only_node(changed, "Add");
  EXPECT_EQ(sum.name(), node.name() + "_bias");
  EXPECT_EQ(changed.find_initializer(sum.input(1))->shape(), (Shape{7, 1, 1}));
  EXPECT_EQ(changed.initializers().size(), 2U);
}

TEST(SplitBias, OtherLayersAreNoCandidates) {
  EXPECT_THAT(biased_products(conv({7, 4, 3, 3})), IsEmpty());
  EXPECT_THAT(biased_products(conv({4, 1, 1, 1}, {{"group", std::int64_t{4}}})), IsEmpty());
  EXPECT_THAT(biased_products(gemm({5}, {{"beta", 0.5F}})), IsEmpty());
}

TEST(SplitBias, OnlyTheNamedNodesChange) {
  graph::Graph graph = gemm({5});
  EXPECT_THAT(split_bias(graph, {"other"}).applied_to, IsEmpty());
  EXPECT_EQ(only_node(graph, "Gemm").inputs().size(), 3U);
}

}  // namespace
}  // namespace hexquant::passes
