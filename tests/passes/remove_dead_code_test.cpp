#include "passes/remove_dead_code.h"

#include "passes/pass_testing.h"

namespace hexquant::passes {
namespace {

using graph::Graph;

TEST(RemoveDeadCode, RemovesWhatReachesNoOutput) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({2}));
  graph.add_input("unused", test::float_type({2}));
  graph.add_initializer("c", test::floats({2}, {1, 2}));
  graph.add_initializer("dead_constant", test::floats({2}, {1, 2}));
  graph.add_node({"Add", {"x", "c"}, {"y"}});
  graph.add_node({"Mul", {"x", "dead_constant"}, {"a"}, {}, "dead_1", ""});
  graph.add_node({"Relu", {"a"}, {"b"}, {}, "dead_2", ""});
  graph.add_output("y");
  const Graph original = graph;
  const PassReport report = remove_dead_code(graph);
  EXPECT_EQ(report.applied_to, (std::vector<std::string>{"dead_1", "dead_2", "dead_constant"}));
  EXPECT_EQ(graph.nodes().size(), 1U);
  EXPECT_TRUE(graph.is_input("unused")) << "inputs are the model's interface";
  test::expect_same_outputs(original, graph, 0.0);
}

TEST(RemoveDeadCode, KeepsWhatSubgraphsReadAndPartlyUsedNodes) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({2}));
  graph.add_initializer("c", test::floats({2}, {1, 2}));
  graph.add_node({"Neg", {"x"}, {"captured"}});
  graph.add_node({"Split", {"x"}, {"first", "second"}, {{"num_outputs", std::int64_t{2}}}});
  graph.add_node(
      {"If", {"first"}, {"y"}, {{"then_branch", graph::OpaqueAttribute{"", {"captured", "c"}}}}});
  graph.add_output("y");
  EXPECT_TRUE(remove_dead_code(graph).applied_to.empty());
  EXPECT_NE(graph.find_initializer("c"), nullptr);
}

}  // namespace
}  // namespace hexquant::passes
