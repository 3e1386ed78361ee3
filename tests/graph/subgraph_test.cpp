#include "graph/subgraph.h"

#include <gtest/gtest.h>

#include "hexquant/error.h"
#include "support/graph_builder.h"

namespace hexquant::graph {
namespace {

/// x -> Conv(w) -> a -> Relu -> b; Add(b, a) -> c (output); x -> Neg -> d (output).
Graph residual() {
  return test::GraphBuilder()
      .input("x", {1, 2, 4, 4})
      .constant("w", {2, 2, 1, 1})
      .node("Conv", {"x", "w"}, {"a"}, {1, 2, 4, 4})
      .node("Relu", {"a"}, {"b"}, {1, 2, 4, 4})
      .node("Add", {"b", "a"}, {"c"}, {1, 2, 4, 4})
      .node("Neg", {"x"}, {"d"}, {1, 2, 4, 4})
      .output("c")
      .output("d")
      .graph();
}

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name());
  return names;
}

TEST(ExtractSubgraph, TakesOnlyWhatLiesBetween) {
  const Graph part = extract_subgraph(residual(), {"a"}, {"c"});
  EXPECT_EQ(node_names(part), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(part.inputs(), std::vector<std::string>{"a"});
  EXPECT_EQ(part.outputs(), std::vector<std::string>{"c"});
  EXPECT_TRUE(part.initializers().empty());
  EXPECT_NE(part.find_type("c"), nullptr);
  EXPECT_EQ(part.opset(), 21);
}

TEST(ExtractSubgraph, BringsTheInitializersThatAreRead) {
  const Graph part = extract_subgraph(residual(), {"x", "b"}, {"a"});
  EXPECT_EQ(node_names(part), std::vector<std::string>{"a"});
  EXPECT_EQ(part.inputs(), std::vector<std::string>{"x"}) << "b is not needed";
  EXPECT_NE(part.find_initializer("w"), nullptr);
}

TEST(ExtractSubgraph, PassesAGivenValueThrough) {
  const Graph part = extract_subgraph(residual(), {"a"}, {"a", "b"});
  EXPECT_EQ(part.outputs(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(node_names(part), std::vector<std::string>{"b"});
}

TEST(ExtractSubgraph, NamesWhatIsMissing) {
  EXPECT_THROW((void)extract_subgraph(residual(), {"b"}, {"c"}), Error) << "a needs x";
  EXPECT_THROW((void)extract_subgraph(residual(), {"x"}, {"nothing"}), Error);
}

}  // namespace
}  // namespace hexquant::graph
