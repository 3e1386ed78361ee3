#include "graph/graph.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hexquant/error.h"

namespace hexquant::graph {
namespace {

ValueType any_float() {
  ValueType type;
  type.dtype = DType::kFloat32;
  return type;
}

/// x -> A -> a -> B -> b (output); a also feeds C -> c (output).
Graph fork() {
  Graph graph;
  graph.opsets[""] = 21;
  graph.add_input("x", any_float());
  graph.add_node({"Relu", {"x"}, {"a"}, {}, "A", ""});
  graph.add_node({"Abs", {"a"}, {"b"}, {}, "B", ""});
  graph.add_node({"Neg", {"a"}, {"c"}, {}, "C", ""});
  graph.add_output("b");
  graph.add_output("c");
  return graph;
}

TEST(Graph, KnowsProducersAndReaders) {
  const Graph graph = fork();
  EXPECT_EQ(graph.producer("a")->name(), "A");
  EXPECT_EQ(graph.producer("x"), nullptr);
  ASSERT_EQ(graph.uses("a").size(), 2U);
  EXPECT_EQ(graph.uses("a")[1].node->name(), "C");
  EXPECT_EQ(graph.single_consumer("a"), nullptr);
  EXPECT_EQ(graph.single_consumer("x")->name(), "A");
  EXPECT_EQ(graph.single_consumer("b"), nullptr) << "a graph output has readers outside";
}

TEST(Graph, EditsKeepTheIndexUpToDate) {
  Graph graph = fork();
  const Node& b = *graph.producer("b");
  graph.set_input(b, 0, "x");
  EXPECT_EQ(graph.uses("a").size(), 1U);
  EXPECT_EQ(graph.uses("x").size(), 2U);
  graph.erase_node(*graph.producer("c"));
  EXPECT_TRUE(graph.uses("a").empty());
  EXPECT_FALSE(graph.has_value("c"));
  graph.replace_uses("x", "y");
  EXPECT_EQ(graph.uses("y").size(), 2U);
  EXPECT_TRUE(graph.uses("x").empty());
}

TEST(Graph, CopiesAreIndependent) {
  const Graph graph = fork();
  Graph copy = graph;
  copy.erase_node(*copy.producer("b"));
  EXPECT_NE(graph.producer("b"), nullptr);
  EXPECT_EQ(copy.uses("a").size(), 1U);
  EXPECT_EQ(copy.uses("a")[0].node, copy.producer("c"));
  EXPECT_NE(copy.producer("c"), graph.producer("c"));
}

TEST(Graph, RejectsASecondDefinition) {
  Graph graph = fork();
  EXPECT_THROW(graph.add_node({"Relu", {"x"}, {"a"}, {}, "", ""}), Error);
  EXPECT_THROW(graph.add_input("a", any_float()), Error);
  EXPECT_THROW(graph.add_initializer("x", Tensor::scalar(1.0F)), Error);
}

TEST(Graph, SubgraphCapturesAreReaders) {
  Graph graph = fork();
  OpaqueAttribute body{"bytes", {"a"}};
  graph.add_node({"If", {"c"}, {"d"}, {{"then_branch", body}}, "if", ""});
  EXPECT_TRUE(graph.is_captured("a"));
  EXPECT_EQ(graph.single_consumer("c"), nullptr);
  EXPECT_THROW(graph.replace_uses("a", "x"), Error);
  EXPECT_TRUE(graph.producer("d")->has_subgraph());
}

TEST(Graph, SortIsStableAndNamesCyclesAndMissingValues) {
  Graph graph = fork();
  const Node& late = graph.insert_before(*graph.producer("a"), {"Abs", {"b"}, {"d"}, {}, "D", ""});
  graph.sort();
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name());
  EXPECT_EQ(names, (std::vector<std::string>{"A", "B", "D", "C"}));
  graph.set_input(*graph.producer("a"), 0, late.output());
  try {
    graph.sort();
    FAIL() << "cycle accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cycle"), std::string::npos);
  }
  graph.set_input(*graph.producer("a"), 0, "nowhere");
  try {
    graph.sort();
    FAIL() << "undefined value accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'A' (Relu) reads value 'nowhere'"), std::string::npos)
        << error.what();
  }
}

TEST(Graph, EveryEditThatCanDisturbTheOrderIsSeenByTheNextSort) {
  const auto order = [](Graph& graph) {
    graph.sort();
    std::vector<std::string> names;
    for (const Node& node : graph.nodes()) names.push_back(node.name());
    return names;
  };
  Graph sorted = fork();
  sorted.sort();
  Graph added = sorted;
  added.insert_before(*added.producer("a"), {"Abs", {"b"}, {"d"}, {}, "D", ""});
  EXPECT_EQ(order(added), (std::vector<std::string>{"A", "B", "D", "C"}));
  Graph renamed = sorted;  // B reads what C writes
  renamed.set_input(*renamed.producer("b"), 0, "new");
  renamed.set_output(*renamed.producer("c"), 0, "new");
  EXPECT_EQ(order(renamed), (std::vector<std::string>{"A", "C", "B"}));
  Graph erased = sorted;
  erased.erase_node(*erased.producer("a"));
  EXPECT_THROW(erased.sort(), Error);
  Graph replaced = sorted;
  replaced.replace_uses("x", "nowhere");
  EXPECT_THROW(replaced.sort(), Error);
}

TEST(Graph, ThousandsOfInputsAreFoundAndForgotten) {
  Graph graph;
  for (int i = 0; i < 2000; ++i) graph.add_input("i" + std::to_string(i), {});
  EXPECT_TRUE(graph.is_input("i1999"));
  EXPECT_THROW(graph.add_input("i7", {}), Error);
  graph.erase_input("i7");
  EXPECT_FALSE(graph.is_input("i7"));
  EXPECT_FALSE(Graph(graph).is_input("i7"));
  EXPECT_TRUE(Graph(graph).is_input("i8"));
}

TEST(Graph, UniqueNamesAvoidValuesNodesAndDanglingReads) {
  Graph graph = fork();
  graph.set_input(*graph.producer("b"), 0, "dangling");
  EXPECT_EQ(graph.unique_name("fresh"), "fresh");
  EXPECT_EQ(graph.unique_name("a"), "a_1");
  EXPECT_EQ(graph.unique_name("B"), "B_1");
  EXPECT_EQ(graph.unique_name("dangling"), "dangling_1");
}

TEST(Node, AttributesOfTheWrongTypeAreNamed) {
  Graph graph = fork();
  const Node& node = *graph.producer("a");
  graph.set_attribute(node, "axis", std::string("one"));
  EXPECT_EQ(node.int_attribute("absent", 7), 7);
  try {
    (void)node.int_attribute("axis", 0);
    FAIL() << "string accepted as integer";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "node 'A' (Relu): attribute 'axis' is not an integer");
  }
}

}  // namespace
}  // namespace hexquant::graph
