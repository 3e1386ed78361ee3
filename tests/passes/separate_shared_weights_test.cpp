#include "passes/separate_shared_weights.h"

#include "passes/pass_testing.h"

namespace hexquant::passes {
namespace {

using graph::Graph;

Graph square_input() {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({2, 2}));
  graph.add_initializer("w", test::floats({2, 2}, {1, 2, 3, 4}));
  graph.add_initializer("b", test::floats({2}, {0.5F, -0.5F}));
  return graph;
}

TEST(SeparateSharedWeights, EveryLayerGetsItsOwnBias) {
  Graph graph = square_input();
  graph.add_node({"Gemm", {"x", "w", "b"}, {"a"}, {}, "first", ""});
  graph.add_node({"Gemm", {"a", "w", "b"}, {"c"}, {}, "second", ""});
  graph.add_node({"Gemm", {"c", "w", "b"}, {"y"}, {}, "third", ""});
  graph.add_output("y");
  const Graph original = graph;
  const PassReport report = separate_shared_weights(graph);
  EXPECT_EQ(report.applied_to.size(), 2U);
  EXPECT_EQ(graph.producer("a")->input(2), "b");
  EXPECT_NE(graph.producer("c")->input(2), graph.producer("y")->input(2));
  EXPECT_EQ(graph.producer("c")->input(1), "w") << "the same kind of weight may be shared";
  EXPECT_EQ(graph.producer("y")->input(1), "w");
  const Tensor* copy = graph.find_initializer(graph.producer("c")->input(2));
  EXPECT_EQ(copy->raw(), graph.find_initializer("b")->raw()) << "the bytes are shared";
  test::expect_same_outputs(original, graph, 0.0);
  EXPECT_TRUE(separate_shared_weights(graph).applied_to.empty());
}

TEST(SeparateSharedWeights, OtherChannelAxesAndOtherRolesGetCopies) {
  Graph graph = square_input();
  graph.add_node({"Gemm", {"x", "w"}, {"a"}, {}, "axis_1", ""});
  graph.add_node({"Gemm", {"a", "w"}, {"c"}, {{"transB", std::int64_t{1}}}, "axis_0", ""});
  graph.add_node({"Add", {"c", "w"}, {"d"}, {}, "tensor", ""});
  graph.add_node({"MatMul", {"d", "w"}, {"y"}, {}, "axis_1_too", ""});
  graph.add_output("y");
  const Graph original = graph;
  EXPECT_EQ(separate_shared_weights(graph).applied_to.size(), 2U);
  EXPECT_EQ(graph.producer("a")->input(1), graph.producer("y")->input(1));
  EXPECT_NE(graph.producer("a")->input(1), graph.producer("c")->input(1));
  EXPECT_NE(graph.producer("c")->input(1), graph.producer("d")->input(1));
  test::expect_same_outputs(original, graph, 0.0);
}

TEST(SeparateSharedWeights, ABiasThatIsAlsoATensorIsSeparated) {
  Graph graph = square_input();
  graph.add_node({"Gemm", {"x", "w", "b"}, {"a"}, {}, "layer", ""});
  graph.add_node({"Add", {"a", "b"}, {"y"}, {}, "add", ""});
  graph.add_output("y");
  const Graph original = graph;
  EXPECT_EQ(separate_shared_weights(graph).applied_to.size(), 1U);
  test::expect_same_outputs(original, graph, 0.0);
}

TEST(SeparateSharedWeights, SubgraphsKeepTheName) {
  Graph graph = square_input();
  graph.add_node({"Gemm", {"x", "w", "b"}, {"y"}, {}, "layer", ""});
  graph.add_node({"If", {"y"}, {"z"}, {{"then_branch", graph::OpaqueAttribute{"", {"b"}}}}});
  graph.add_output("z");
  EXPECT_EQ(separate_shared_weights(graph).applied_to.size(), 1U);
  EXPECT_TRUE(graph.is_captured("b"));
  EXPECT_NE(graph.producer("y")->input(2), "b");
}

TEST(SeparateSharedWeights, IntegersAndSingleUsesStay) {
  Graph graph = square_input();
  graph.add_initializer("shape", test::ints({2, 2}));
  graph.add_node({"Reshape", {"x", "shape"}, {"a"}});
  graph.add_node({"Reshape", {"a", "shape"}, {"c"}});
  graph.add_node({"Gemm", {"c", "w", "b"}, {"y"}});
  graph.add_output("y");
  EXPECT_TRUE(separate_shared_weights(graph).applied_to.empty());
}

}  // namespace
}  // namespace hexquant::passes
