#include "pipeline/layer_steps.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "hexquant/error.h"
#include "quant/insert_qdq.h"
#include "support/graph_builder.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using test::GraphBuilder;
using Names = std::vector<std::string>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const Shape kPlane = {1, 4, 5, 5};

/// Weights, and biases by weight.
quant::QuantPlan plan_of(const Names& weights,
                         const std::map<std::string, std::string>& biases = {}) {
  quant::QuantPlan plan;
  for (const std::string& weight : weights) {
    plan.tensors[weight].role = quant::Role::kWeight;
    plan.tensors[weight].type = DType::kInt8;
  }
  for (const auto& [weight, bias] : biases) plan.biases[bias] = {"x", weight};
  return plan;
}

/// conv1 -> Relu -> conv2 -> Add with the Relu's output -> Relu.
GraphBuilder residual() {
  return GraphBuilder()
      .input("x", kPlane)
      .constant("w1", {4, 4, 1, 1})
      .constant("b1", {4})
      .constant("w2", {4, 4, 1, 1})
      .node("Conv", {"x", "w1", "b1"}, {"a"}, kPlane)
      .node("Relu", {"a"}, {"r"}, kPlane)
      .node("Conv", {"r", "w2"}, {"c"}, kPlane)
      .node("Add", {"c", "r"}, {"sum"}, kPlane)
      .node("Relu", {"sum"}, {"y"}, kPlane)
      .output("y");
}

TEST(LayerSteps, FindsTheReluAndTheResidualAdd) {
  const Graph graph = residual().graph();
  const auto steps = find_layer_steps(graph, plan_of({"w1", "w2"}, {{"w1", "b1"}}));
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].node->name(), "a");
  EXPECT_EQ(steps[0].weight, "w1");
  EXPECT_EQ(steps[0].bias, "b1");
  EXPECT_EQ(steps[0].clamp, (Range{0.0F, kInfinity}));
  EXPECT_EQ(steps[0].add, nullptr);
  EXPECT_EQ(steps[0].frontier, (Names{"x"}));

  EXPECT_EQ(steps[1].node->name(), "c");
  EXPECT_EQ(steps[1].bias, "");
  ASSERT_NE(steps[1].add, nullptr);
  EXPECT_EQ(steps[1].add->name(), "sum");
  EXPECT_EQ(steps[1].add->input(static_cast<std::size_t>(steps[1].addend_input)), "r");
  EXPECT_FALSE(steps[1].clamp.has_value()) << "the Add lies between";
  EXPECT_EQ(steps[1].frontier, (Names{"r"})) << "x is not read any more";
}

TEST(LayerSteps, OnlyAnAddendKnownBeforeTheLayerCounts) {
  const Graph graph = GraphBuilder()
                          .input("x", kPlane)
                          .constant("w1", {4, 4, 1, 1})
                          .constant("w2", {4, 4, 1, 1})
                          .node("Conv", {"x", "w1"}, {"left"}, kPlane)
                          .node("Conv", {"x", "w2"}, {"right"}, kPlane)
                          .node("Add", {"right", "left"}, {"y"}, kPlane)
                          .output("y")
                          .graph();
  const auto steps = find_layer_steps(graph, plan_of({"w1", "w2"}));
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].add, nullptr) << "right comes after left";
  ASSERT_NE(steps[1].add, nullptr);
  EXPECT_EQ(steps[1].addend_input, 1);
  EXPECT_EQ(steps[1].frontier, (Names{"x", "left"}));
}

TEST(LayerSteps, NoResidualWhereTheOutputIsReadTwiceOrBroadcast) {
  const auto add_of_last = [](const Graph& graph) {
    return find_layer_steps(graph, plan_of({"w1"})).back().add;
  };
  const auto start = [] {
    return GraphBuilder()
        .input("x", kPlane)
        .input("s", kPlane)
        .input("one", {1, 4, 1, 1})
        .constant("w1", {4, 4, 1, 1});
  };
  const auto conv = [&] { return start().node("Conv", {"x", "w1"}, {"c"}, kPlane); };
  EXPECT_NE(add_of_last(conv().node("Add", {"s", "c"}, {"y"}, kPlane).output("y").graph()),
            nullptr);
  EXPECT_EQ(add_of_last(conv().node("Add", {"c", "c"}, {"y"}, kPlane).output("y").graph()),
            nullptr);
  EXPECT_EQ(add_of_last(conv().node("Add", {"c", "one"}, {"y"}, kPlane).output("y").graph()),
            nullptr);
  EXPECT_EQ(add_of_last(conv()
                            .node("Add", {"c", "s"}, {"y"}, kPlane)
                            .node("Abs", {"c"}, {"z"}, kPlane)
                            .output("y")
                            .output("z")
                            .graph()),
            nullptr);
  EXPECT_EQ(
      add_of_last(conv().node("Add", {"c", "s"}, {"y"}, kPlane).output("y").output("c").graph()),
      nullptr)
      << "the output leaves the model";
}

TEST(LayerSteps, ClipGivesItsLimits) {
  const auto clamp_of = [](const Names& limits) {
    Names inputs = {"a"};
    inputs.insert(inputs.end(), limits.begin(), limits.end());
    const Graph graph = GraphBuilder()
                            .input("x", kPlane)
                            .input("computed", {})
                            .constant("w1", {4, 4, 1, 1})
                            .scalar("low", -1.0F)
                            .scalar("high", 6.0F)
                            .node("Conv", {"x", "w1"}, {"a"}, kPlane)
                            .node("Clip", inputs, {"y"}, kPlane)
                            .output("y")
                            .graph();
    return find_layer_steps(graph, plan_of({"w1"})).at(0).clamp;
  };
  EXPECT_EQ(clamp_of({"low", "high"}), (Range{-1.0F, 6.0F}));
  EXPECT_EQ(clamp_of({"", "high"}), (Range{-kInfinity, 6.0F}));
  EXPECT_EQ(clamp_of({"low"}), (Range{-1.0F, kInfinity}));
  EXPECT_FALSE(clamp_of({"low", "computed"}).has_value());
}

TEST(LayerSteps, LooksBehindTheBiasOfAMatMul) {
  const Shape rows = {2, 4};
  const auto start = [&] {
    return GraphBuilder()
        .input("x", rows)
        .input("s", rows)
        .constant("w1", {4, 4})
        .constant("b1", {4})
        .node("MatMul", {"x", "w1"}, {"m"}, rows)
        .node("Add", {"m", "b1"}, {"a"}, rows);
  };
  const Graph relu = start().node("Relu", {"a"}, {"y"}, rows).output("y").graph();
  const auto plan = plan_of({"w1"}, {{"w1", "b1"}});
  const LayerStep step = find_layer_steps(relu, plan).at(0);
  EXPECT_EQ(step.bias, "b1");
  EXPECT_EQ(step.data_input, 0);
  EXPECT_EQ(step.clamp, (Range{0.0F, kInfinity}));
  const Graph add = start().node("Add", {"s", "a"}, {"y"}, rows).output("y").graph();
  const LayerStep residual_step = find_layer_steps(add, plan).at(0);
  ASSERT_NE(residual_step.add, nullptr);
  EXPECT_EQ(residual_step.add->name(), "y");
  EXPECT_EQ(residual_step.addend_input, 0);
  // A bias that the plan leaves float cannot be moved, so it is like any constant that is added.
  EXPECT_EQ(find_layer_steps(relu, plan_of({"w1"})).at(0).bias, "");
}

TEST(LayerSteps, TheDataMayStandOnEitherSideOfAMatMul) {
  const Graph graph = GraphBuilder()
                          .input("x", {4, 5})
                          .constant("w1", {3, 4})
                          .node("MatMul", {"w1", "x"}, {"y"}, {3, 5})
                          .output("y")
                          .graph();
  EXPECT_EQ(find_layer_steps(graph, plan_of({"w1"})).at(0).data_input, 1);
}

TEST(LayerSteps, LeavesOutFloatAndSharedWeights) {
  EXPECT_EQ(find_layer_steps(residual().graph(), plan_of({"w2"})).size(), 1U);
  EXPECT_TRUE(find_layer_steps(residual().graph(), plan_of({})).empty());
  const Graph shared = GraphBuilder()
                           .input("x", kPlane)
                           .constant("w1", {4, 4, 1, 1})
                           .node("Conv", {"x", "w1"}, {"a"}, kPlane)
                           .node("Conv", {"a", "w1"}, {"y"}, kPlane)
                           .output("y")
                           .graph();
  EXPECT_TRUE(find_layer_steps(shared, plan_of({"w1"})).empty());
}

TEST(LayerSteps, WidestCutCountsFloatsAndCodes) {
  const Graph graph = GraphBuilder()
                          .input("x", kPlane)
                          .constant("w1", {4, 4, 1, 1})
                          .constant("w2", {4, 4, 1, 1})
                          .node("Conv", {"x", "w1"}, {"left"}, kPlane)
                          .node("Conv", {"x", "w2"}, {"right"}, kPlane)
                          .node("Add", {"right", "left"}, {"y"}, kPlane)
                          .output("y")
                          .graph();
  // x and left of 100 elements, 4 bytes and a code of up to 2 each.
  EXPECT_EQ(widest_cut_bytes(graph, find_layer_steps(graph, plan_of({"w1", "w2"}))), 2 * 100 * 6);
  EXPECT_EQ(widest_cut_bytes(graph, {}), 0);
}

TEST(LayerSteps, HeldValuesAreTheCodesOfQuantizedValues) {
  const Graph graph = residual().graph();
  quant::EncodingTable encodings;
  for (const char* name : {"x", "r", "y"}) {
    encodings.tensors[name] = encoding_from_range({-1.0F, 1.0F}, DType::kUInt8, false);
  }
  const Graph quantized = quant::insert_qdq(graph, encodings);
  for (const char* name : {"x", "r"}) {
    const Names held = held_values(quantized, name);
    ASSERT_EQ(held.size(), 1U) << name;
    const graph::Node* producer = quantized.producer(held[0]);
    ASSERT_NE(producer, nullptr) << name;
    EXPECT_EQ(producer->op_type(), "QuantizeLinear") << name;
  }
  EXPECT_EQ(held_values(quantized, "c"), (Names{"c"})) << "not quantized: the value itself";
}

TEST(LayerSteps, HeldValuesOfAValueWithTwoEncodings) {
  const Graph graph = residual().graph();
  quant::EncodingTable encodings;
  encodings.tensors["r"] = encoding_from_range({-1.0F, 1.0F}, DType::kUInt8, false);
  encodings.edges[{"sum", 1}] = encoding_from_range({-1.0F, 1.0F}, DType::kUInt16, false);
  const Names held = held_values(quant::insert_qdq(graph, encodings), "r");
  EXPECT_EQ(held.size(), 1U) << "the edge's encoding is applied to the codes";
}

TEST(LayerSteps, NodesByName) {
  const Graph graph = residual().graph();
  EXPECT_EQ(node_named(graph, "sum").op_type(), "Add");
  EXPECT_THROW((void)node_named(graph, "none"), Error);
}

}  // namespace
}  // namespace hexquant::pipeline
