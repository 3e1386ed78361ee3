#include "weights/equalization_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "weights/equalization_testing.h"

namespace hexquant::weights {
namespace {

using graph::Graph;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

const graph::Attributes kPadded = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};

graph::Attributes depthwise(std::int64_t groups) {
  graph::Attributes attributes = kPadded;
  attributes["group"] = groups;
  return attributes;
}

/// Scales spread over four decades.
std::vector<double> wild_scales(std::int64_t channels, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> exponent(-2.0, 2.0);
  std::vector<double> scales;
  for (std::int64_t c = 0; c < channels; ++c) scales.push_back(std::pow(10.0, exponent(random)));
  return scales;
}

/// Every group of the graph gets wild scales; the outputs must not notice.
void expect_function_kept(const Graph& graph, std::size_t groups) {
  Graph scaled = graph;
  const auto found = find_scale_groups(graph);
  ASSERT_EQ(found.size(), groups);
  for (const ScaleGroup& group : found) apply_scales(scaled, group, wild_scales(group.channels, 5));
  const double difference = relative_difference(graph, scaled, random_feeds(graph, 4, 9));
  EXPECT_LT(difference, kRoundingOnly);
  for (const ScaleGroup& group : found) {
    const std::string& weight = graph.producer(group.producers[0])->input(1);
    EXPECT_FALSE(*graph.find_initializer(weight) == *scaled.find_initializer(weight));
  }
}

TEST(EqualizationGroups, ChainWithRelu) {
  const Graph graph = RandomNet(1)
                          .input("x", {1, 3, 6, 6})
                          .weight("w1", {4, 3, 3, 3})
                          .weight("b1", {4})
                          .weight("w2", {5, 4, 3, 3})
                          .weight("b2", {5})
                          .node("Conv", {"x", "w1", "b1"}, "a", {1, 4, 6, 6}, kPadded)
                          .node("Relu", {"a"}, "r", {1, 4, 6, 6})
                          .node("Conv", {"r", "w2", "b2"}, "y", {1, 5, 6, 6}, kPadded)
                          .finish({"y"});
  const auto groups = find_scale_groups(graph);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_THAT(groups[0].values, ElementsAre("a", "r"));
  EXPECT_THAT(groups[0].axes, ElementsAre(-3, -3));
  EXPECT_THAT(groups[0].producers, ElementsAre("a"));
  EXPECT_THAT(groups[0].consumers, ElementsAre("y"));
  expect_function_kept(graph, 1);
}

TEST(EqualizationGroups, DepthwiseLayerEndsOneGroupAndBeginsAnother) {
  const Graph graph = RandomNet(2)
                          .input("x", {1, 3, 6, 6})
                          .weight("w1", {4, 3, 1, 1})
                          .weight("w2", {8, 1, 3, 3})
                          .weight("b2", {8})
                          .weight("w3", {5, 8, 1, 1})
                          .node("Conv", {"x", "w1"}, "a", {1, 4, 6, 6})
                          .node("Relu", {"a"}, "ra", {1, 4, 6, 6})
                          .node("Conv", {"ra", "w2", "b2"}, "b", {1, 8, 6, 6}, depthwise(4))
                          .node("LeakyRelu", {"b"}, "rb", {1, 8, 6, 6})
                          .node("Conv", {"rb", "w3"}, "y", {1, 5, 6, 6})
                          .finish({"y"});
  expect_function_kept(graph, 2);
}

TEST(EqualizationGroups, PReluSlopesStay) {
  const Graph graph = RandomNet(3)
                          .input("x", {1, 3, 5})
                          .weight("w1", {4, 3, 3})
                          .weight("slope", {4, 1})
                          .weight("w2", {2, 4, 3})
                          .node("Conv", {"x", "w1"}, "a", {1, 4, 3})
                          .node("PRelu", {"a", "slope"}, "p", {1, 4, 3})
                          .node("Conv", {"p", "w2"}, "y", {1, 2, 1})
                          .finish({"y"});
  expect_function_kept(graph, 1);
}

TEST(EqualizationGroups, AddTiesItsBranches) {
  const Graph graph = RandomNet(4)
                          .input("x", {1, 3, 4, 4})
                          .weight("w1", {4, 3, 1, 1})
                          .weight("w2", {6, 4, 1, 1})
                          .weight("w3", {4, 6, 1, 1})
                          .weight("b3", {4})
                          .weight("w4", {2, 4, 1, 1})
                          .node("Conv", {"x", "w1"}, "a", {1, 4, 4, 4})
                          .node("Conv", {"a", "w2"}, "b", {1, 6, 4, 4})
                          .node("Relu", {"b"}, "rb", {1, 6, 4, 4})
                          .node("Conv", {"rb", "w3", "b3"}, "c", {1, 4, 4, 4})
                          .node("Add", {"a", "c"}, "s", {1, 4, 4, 4})
                          .node("Conv", {"s", "w4"}, "y", {1, 2, 4, 4})
                          .finish({"y"});
  const auto groups = find_scale_groups(graph);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_THAT(groups[0].producers, UnorderedElementsAre("a", "c"));
  EXPECT_THAT(groups[0].consumers, UnorderedElementsAre("b", "y"));
  EXPECT_TRUE(groups[0].has_joins);
  expect_function_kept(graph, 2);
}

TEST(EqualizationGroups, GroupedConvTranspose) {
  const Graph graph =
      RandomNet(5)
          .input("x", {1, 3, 4, 4})
          .weight("w1", {4, 3, 1, 1})
          .weight("w2", {4, 3, 2, 2})
          .weight("b2", {6})
          .weight("w3", {2, 6, 1, 1})
          .node("Conv", {"x", "w1"}, "a", {1, 4, 4, 4})
          .node("ConvTranspose", {"a", "w2", "b2"}, "b", {1, 6, 5, 5}, {{"group", std::int64_t{2}}})
          .node("Conv", {"b", "w3"}, "y", {1, 2, 5, 5})
          .finish({"y"});
  expect_function_kept(graph, 2);
}

TEST(EqualizationGroups, PoolFlattenGemm) {
  const Graph graph = RandomNet(6)
                          .input("x", {1, 3, 6, 6})
                          .weight("w1", {4, 3, 3, 3})
                          .weight("b1", {4})
                          .weight("w2", {5, 4})
                          .weight("b2", {5})
                          .weight("w3", {5, 2})
                          .node("Conv", {"x", "w1", "b1"}, "a", {1, 4, 4, 4})
                          .node("Relu", {"a"}, "r", {1, 4, 4, 4})
                          .node("MaxPool", {"r"}, "m", {1, 4, 2, 2},
                                {{"kernel_shape", std::vector<std::int64_t>{2, 2}},
                                 {"strides", std::vector<std::int64_t>{2, 2}}})
                          .node("GlobalAveragePool", {"m"}, "g", {1, 4, 1, 1})
                          .node("Flatten", {"g"}, "f", {1, 4})
                          .node("Gemm", {"f", "w2", "b2"}, "h", {1, 5},
                                {{"transB", std::int64_t{1}}, {"alpha", 0.5F}, {"beta", 2.0F}})
                          .node("Relu", {"h"}, "rh", {1, 5})
                          .node("Gemm", {"rh", "w3"}, "y", {1, 2})
                          .finish({"y"});
  expect_function_kept(graph, 2);
}

TEST(EqualizationGroups, MatMulAndAdd) {
  const Graph graph = RandomNet(7)
                          .input("x", {1, 3, 4})
                          .weight("w1", {4, 6})
                          .weight("b1", {6})
                          .weight("w2", {6, 2})
                          .node("MatMul", {"x", "w1"}, "a", {1, 3, 6})
                          .node("Add", {"b1", "a"}, "s", {1, 3, 6})
                          .node("Relu", {"s"}, "r", {1, 3, 6})
                          .node("MatMul", {"r", "w2"}, "y", {1, 3, 2})
                          .finish({"y"});
  EXPECT_THAT(find_scale_groups(graph)[0].shifts, ElementsAre("s"));
  expect_function_kept(graph, 1);
}

/// conv -> Relu -> conv with something else at the value between.
RandomNet chain_net() {
  RandomNet net(8);
  net.input("x", {1, 3, 4, 4})
      .weight("w1", {4, 3, 1, 1})
      .weight("w2", {2, 4, 1, 1})
      .node("Conv", {"x", "w1"}, "a", {1, 4, 4, 4})
      .node("Relu", {"a"}, "r", {1, 4, 4, 4})
      .node("Conv", {"r", "w2"}, "y", {1, 2, 4, 4});
  return net;
}

TEST(EqualizationGroups, OtherReadersLeaveAGroupOut) {
  EXPECT_EQ(find_scale_groups(chain_net().finish({"y"})).size(), 1U);
  EXPECT_TRUE(find_scale_groups(chain_net().finish({"y", "r"})).empty());
  EXPECT_TRUE(
      find_scale_groups(chain_net().node("Sigmoid", {"a"}, "z", {1, 4, 4, 4}).finish({"y", "z"}))
          .empty());
  EXPECT_TRUE(find_scale_groups(
                  chain_net()
                      .node("Concat", {"r", "x"}, "z", {1, 7, 4, 4}, {{"axis", std::int64_t{1}}})
                      .finish({"y", "z"}))
                  .empty());
  EXPECT_TRUE(
      find_scale_groups(chain_net().node("Add", {"r", "r0"}, "z", {1, 4, 4, 4}).finish({"y"}))
          .empty());
}

TEST(EqualizationGroups, SharedWeightsAndLoopsAreLeftOut) {
  const Graph shared = chain_net().node("Conv", {"r", "w2"}, "z", {1, 2, 4, 4}).finish({"y", "z"});
  EXPECT_TRUE(find_scale_groups(shared).empty());
  const Graph loop = RandomNet(9)
                         .input("x", {1, 3, 4, 4})
                         .weight("w1", {4, 3, 1, 1})
                         .weight("w2", {4, 4, 1, 1})
                         .weight("w3", {2, 4, 1, 1})
                         .node("Conv", {"x", "w1"}, "a", {1, 4, 4, 4})
                         .node("Conv", {"a", "w2"}, "b", {1, 4, 4, 4})
                         .node("Add", {"a", "b"}, "s", {1, 4, 4, 4})
                         .node("Conv", {"s", "w3"}, "y", {1, 2, 4, 4})
                         .finish({"y"});
  EXPECT_TRUE(find_scale_groups(loop).empty());
}

TEST(EqualizationGroups, AddThatBroadcastsIsLeftOut) {
  const Graph graph = RandomNet(10)
                          .input("x", {1, 3, 4, 4})
                          .weight("w1", {4, 3, 1, 1})
                          .weight("w2", {4, 3, 1, 1})
                          .weight("w3", {2, 4, 1, 1})
                          .node("Conv", {"x", "w1"}, "a", {1, 4, 4, 4})
                          .node("GlobalAveragePool", {"x"}, "g", {1, 3, 1, 1})
                          .node("Conv", {"g", "w2"}, "b", {1, 4, 1, 1})
                          .node("Add", {"a", "b"}, "s", {1, 4, 4, 4})
                          .node("Conv", {"s", "w3"}, "y", {1, 2, 4, 4})
                          .finish({"y"});
  EXPECT_TRUE(find_scale_groups(graph).empty());
}

}  // namespace
}  // namespace hexquant::weights
