#include "mixed_precision/layer_sequence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "mixed_precision/sensitivity_table.h"
#include "mixed_precision/work_share.h"
#include "support/graph_builder.h"

namespace hexquant::mixed_precision {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const Shape kValue = {1, 4, 2, 2};

quant::LayerDecision layer(const std::string& node, const std::string& output,
                           const std::string& weight, int act_bits = 8) {
  quant::LayerDecision decision;
  decision.node = node;
  decision.op = "Conv";
  decision.output = output;
  decision.weight = weight;
  decision.act_bits = act_bits;
  return decision;
}

std::vector<std::string> names(const LayerSequence& sequence) {
  std::vector<std::string> names;
  for (const LayerStretch& stretch : sequence.layers) names.push_back(stretch.node);
  return names;
}

///  x - stem+Relu - a+Relu - b - Add - end
///              \______________/
struct Residual {
  graph::Graph graph = test::GraphBuilder()
                           .input("x", kValue)
                           .constant("ws", {4, 4, 1, 1})
                           .constant("wa", {4, 4, 1, 1})
                           .constant("wb", {4, 4, 1, 1})
                           .constant("we", {4, 4, 1, 1})
                           .node("Conv", {"x", "ws"}, {"stem"}, kValue)
                           .node("Relu", {"stem"}, {"stem_relu"}, kValue)
                           .node("Conv", {"stem_relu", "wa"}, {"a"}, kValue)
                           .node("Relu", {"a"}, {"a_relu"}, kValue)
                           .node("Conv", {"a_relu", "wb"}, {"b"}, kValue)
                           .node("Add", {"b", "stem_relu"}, {"sum"}, kValue)
                           .node("Conv", {"sum", "we"}, {"end"}, kValue)
                           .output("end")
                           .graph();
  quant::QuantPlan plan;
  Residual() {
    plan.layers = {layer("stem", "stem_relu", "ws"), layer("a", "a_relu", "wa"),
                   layer("b", "b", "wb"), layer("sum", "sum", ""), layer("end", "end", "we")};
  }
};

TEST(LayerSequence, AResidualBlockLiesBetweenCutsOfOneValue) {
  const Residual net;
  const LayerSequence sequence = sequence_layers(net.graph, net.plan);
  EXPECT_THAT(names(sequence), ElementsAre("stem", "a", "b", "sum", "end"));
  ASSERT_EQ(sequence.blocks.size(), 1U);
  EXPECT_EQ(sequence.blocks[0].first, 1U);
  EXPECT_EQ(sequence.blocks[0].last, 3U);
  EXPECT_EQ(sequence.layers[0].block, -1);
  EXPECT_EQ(sequence.layers[2].block, 0);
  EXPECT_THAT(sequence.cut(net.graph, sequence.layers[1].last),
              UnorderedElementsAre("stem_relu", "a_relu"));
  EXPECT_THAT(sequence.cut(net.graph, sequence.layers[4].last), ElementsAre("end"));
}

TEST(LayerSequence, LayersThatStayFloatAreLeftOut) {
  Residual net;
  net.plan.layers[1].act_bits = kFloatBits;
  EXPECT_THAT(names(sequence_layers(net.graph, net.plan)), ElementsAre("stem", "b", "sum", "end"));
}

TEST(LayerSequence, FusedNodesLieSideBySide) {
  // In the graph's own order the two branches alternate.
  const graph::Graph graph = test::GraphBuilder()
                                 .input("x", kValue)
                                 .constant("wa", {4, 4, 1, 1})
                                 .constant("wb", {4, 4, 1, 1})
                                 .node("Conv", {"x", "wa"}, {"a"}, kValue)
                                 .node("Conv", {"x", "wb"}, {"b"}, kValue)
                                 .node("Relu", {"a"}, {"a_relu"}, kValue)
                                 .node("Relu", {"b"}, {"b_relu"}, kValue)
                                 .node("Add", {"a_relu", "b_relu"}, {"sum"}, kValue)
                                 .output("sum")
                                 .graph();
  quant::QuantPlan plan;
  plan.layers = {layer("a", "a_relu", "wa"), layer("b", "b_relu", "wb"), layer("sum", "sum", "")};
  const LayerSequence sequence = sequence_layers(graph, plan);
  std::vector<std::string> order;
  for (const graph::Node* node : sequence.order.nodes()) order.push_back(node->name());
  EXPECT_THAT(order, ElementsAre("a", "a_relu", "b", "b_relu", "sum"));
  EXPECT_EQ(sequence.layers[0].first, 0U);
  EXPECT_EQ(sequence.layers[0].last, 2U);
  EXPECT_EQ(sequence.layers[1].last, 4U);
  ASSERT_EQ(sequence.blocks.size(), 1U) << "two branches from an input are one block";
}

TEST(LayerSequence, AMaskThatNoWeightsTouchedIsNoFlow) {
  const graph::Graph graph = test::GraphBuilder()
                                 .input("x", kValue)
                                 .input("mask", kValue)
                                 .constant("wa", {4, 4, 1, 1})
                                 .constant("wb", {4, 4, 1, 1})
                                 .node("Neg", {"mask"}, {"bias"}, kValue)
                                 .node("Conv", {"x", "wa"}, {"a"}, kValue)
                                 .node("Add", {"a", "bias"}, {"c"}, kValue)
                                 .node("Conv", {"c", "wb"}, {"b"}, kValue)
                                 .node("Add", {"b", "bias"}, {"d"}, kValue)
                                 .output("d")
                                 .graph();
  quant::QuantPlan plan;
  plan.layers = {layer("bias", "bias", ""), layer("a", "a", "wa"), layer("c", "c", ""),
                 layer("b", "b", "wb"), layer("d", "d", "")};
  EXPECT_THAT(sequence_layers(graph, plan).blocks, IsEmpty());
}

TEST(WorkBehind, FallsFromOneToZero) {
  const Residual net;
  const LayerSequence sequence = sequence_layers(net.graph, net.plan);
  const std::vector<double> behind = work_behind(net.graph, sequence.order);
  EXPECT_DOUBLE_EQ(behind.front(), 1.0);
  EXPECT_DOUBLE_EQ(behind.back(), 0.0);
  EXPECT_TRUE(std::is_sorted(behind.rbegin(), behind.rend()));
  // Convolutions do 4 multiply-accumulates an element: 4 of them, and 3 others of 1.
  EXPECT_NEAR(behind[1], (3 * 4 + 3) / 19.0, 1e-12);
}

}  // namespace
}  // namespace hexquant::mixed_precision
