#include <gtest/gtest.h>

#include "pipeline/htp_model.h"
#include "support/graph_builder.h"

namespace hexquant::pipeline {
namespace {

using graph::Dim;
using graph::Graph;

graph::ValueType of(std::vector<Dim> shape) {
  return {DType::kFloat32, std::move(shape)};
}

/// x [N, 8] -> Relu -> Q -> DQ -> Add -> y, the types of the pair unknown.
Graph batched() {
  Graph graph;
  graph.add_input("x", of({{-1, "N"}, {8, ""}}));
  graph.add_initializer("scale", Tensor::scalar<float>(0.1F));
  graph.add_node({.op_type = "Relu", .inputs = {"x"}, .outputs = {"r"}});
  graph.add_node({.op_type = "QuantizeLinear", .inputs = {"r", "scale"}, .outputs = {"q"}});
  graph.add_node({.op_type = "DequantizeLinear", .inputs = {"q", "scale"}, .outputs = {"d"}});
  graph.add_node({.op_type = "Add", .inputs = {"d", "r"}, .outputs = {"y"}});
  graph.add_output("y");
  graph.set_type("r", of({{-1, "N"}, {8, ""}}));
  graph.set_type("y", of({{8, ""}, {-1, "N"}}));
  return graph;
}

TEST(FixKnownBatch, PutsOneWhereverTheBatchStands) {
  Graph graph = batched();
  ASSERT_TRUE(fix_known_batch(graph));
  EXPECT_EQ(graph.find_type("x")->fixed_shape(), (Shape{1, 8}));
  EXPECT_EQ(graph.find_type("r")->fixed_shape(), (Shape{1, 8}));
  EXPECT_EQ(graph.find_type("y")->fixed_shape(), (Shape{8, 1}));
  EXPECT_EQ(graph.find_type("q"), nullptr) << "has the shape of what it is made from";
}

TEST(FixKnownBatch, LeavesAGraphAloneWhereAShapeStaysOpen) {
  const auto expect_open = [](const std::string& value, std::vector<Dim> shape) {
    Graph graph = batched();
    graph.set_type(value, of(std::move(shape)));
    EXPECT_FALSE(fix_known_batch(graph)) << value;
    EXPECT_EQ(graph.find_type("x")->shape->front().symbol, value == "x" ? "L" : "N");
  };
  expect_open("r", {{-1, "M"}, {8, ""}});  // another dimension
  expect_open("y", {{-1, ""}, {8, ""}});   // not known
  expect_open("x", {{-1, "L"}, {8, ""}});  // then "N" is no batch
  Graph untyped = batched();
  untyped.erase_type("r");
  EXPECT_FALSE(fix_known_batch(untyped));
}

}  // namespace
}  // namespace hexquant::pipeline
