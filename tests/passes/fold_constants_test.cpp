#include "passes/fold_constants.h"

#include "passes/pass_testing.h"

namespace hexquant::passes {
namespace {

using graph::Graph;

/// y = x + (2 * c) with 2 * c computed at run time.
Graph scaled_constant() {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({3}));
  graph.add_initializer("c", test::floats({3}, {1, 2, 3}));
  graph.add_initializer("two", Tensor::scalar(2.0F));
  graph.add_node({"Mul", {"c", "two"}, {"scaled"}, {}, "mul", ""});
  graph.add_node({"Add", {"x", "scaled"}, {"y"}, {}, "add", ""});
  graph.add_output("y");
  return graph;
}

TEST(FoldConstants, EvaluatesConstantNodes) {
  Graph graph = scaled_constant();
  const Graph original = graph;
  const PassReport report = fold_constants(graph);
  EXPECT_EQ(report.applied_to, std::vector<std::string>{"mul"});
  EXPECT_EQ(*graph.find_initializer("scaled"), test::floats({3}, {2, 4, 6}));
  EXPECT_EQ(graph.nodes().size(), 1U);
  test::expect_same_outputs(original, graph, 0.0);
}

TEST(FoldConstants, FoldsChainsAndSeveralOutputs) {
  Graph graph = scaled_constant();
  graph.add_initializer("sizes", test::ints({1, 2}));
  graph.add_node({"Split", {"scaled", "sizes"}, {"first", "rest"}});
  graph.add_node({"Mul", {"x", "first"}, {"z"}});
  graph.add_output("z");
  const Graph original = graph;
  (void)fold_constants(graph);
  EXPECT_EQ(*graph.find_initializer("first"), test::floats({1}, {2}));
  EXPECT_EQ(graph.nodes().size(), 2U);
  test::expect_same_outputs(original, graph, 0.0);
}

TEST(FoldConstants, KeepsNodesThatGiveOutputs) {
  Graph graph = scaled_constant();
  graph.add_output("scaled");
  EXPECT_TRUE(fold_constants(graph).applied_to.empty());
  EXPECT_NE(graph.producer("scaled"), nullptr);
}

TEST(FoldConstants, ValuesThatSubgraphsReadKeepTheirName) {
  Graph graph = scaled_constant();
  graph.add_node({"If", {"x"}, {"w"}, {{"then_branch", graph::OpaqueAttribute{"", {"scaled"}}}}});
  (void)fold_constants(graph);
  EXPECT_NE(graph.find_initializer("scaled"), nullptr);
  EXPECT_TRUE(graph.is_captured("scaled"));
}

TEST(FoldConstants, LeavesRandomNumbersAndQuantizedWeights) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({3}));
  graph.add_initializer("q", Tensor::from<std::int8_t>({3}, std::vector<std::int8_t>{1, 2, 3}));
  graph.add_initializer("scale", Tensor::scalar(0.5F));
  graph.add_initializer("c", test::floats({3}, {1, 2, 3}));
  graph.add_node({"DequantizeLinear", {"q", "scale"}, {"w"}, {}, "dq", ""});
  graph.add_node({"Neg", {"w"}, {"negative"}, {}, "after_dq", ""});
  graph.add_node({"RandomNormalLike", {"c"}, {"noise"}, {}, "random", ""});
  graph.add_node({"Sum", {"x", "negative", "noise"}, {"y"}});
  graph.add_output("y");
  EXPECT_TRUE(fold_constants(graph).applied_to.empty());
  EXPECT_EQ(graph.nodes().size(), 4U);
}

TEST(FoldConstants, DoesNotBlowUpTheModel) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({1}));
  graph.add_initializer("one", test::floats({1}, {1}));
  graph.add_initializer("large", test::ints({17'000'000}));
  graph.add_initializer("small", test::ints({4}));
  graph.add_node({"Expand", {"one", "large"}, {"ones"}, {}, "expand_large", ""});
  graph.add_node({"Expand", {"one", "small"}, {"four"}, {}, "expand_small", ""});
  graph.add_node({"ReduceSum", {"ones"}, {"count"}, {{"keepdims", std::int64_t{0}}}, "sum", ""});
  graph.add_node({"Add", {"x", "ones"}, {"y"}});
  graph.add_node({"Sum", {"x", "four", "count"}, {"z"}});
  graph.add_output("y");
  graph.add_output("z");
  (void)fold_constants(graph);
  EXPECT_NE(graph.producer("ones"), nullptr) << "68 MB made from 12 bytes";
  EXPECT_EQ(*graph.find_initializer("four"), test::floats({4}, {1, 1, 1, 1}));
}

TEST(FoldConstants, OneNodeThatFailsDoesNotKeepTheRest) {
  Graph graph = scaled_constant();
  graph.add_initializer("bad_shape", test::ints({5}));
  graph.add_node({"Reshape", {"c", "bad_shape"}, {"broken"}, {}, "bad", ""});
  graph.add_node({"Mul", {"x", "broken"}, {"z"}});
  graph.add_output("z");
  const PassReport report = fold_constants(graph);
  EXPECT_EQ(report.applied_to, std::vector<std::string>{"mul"});
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].where, "bad");
}

}  // namespace
}  // namespace hexquant::passes
