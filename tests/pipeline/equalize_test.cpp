#include "pipeline/equalize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "support/memory_dataset.h"
#include "target/target.h"
#include "weights/equalization_testing.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using weights::kRoundingOnly;
using weights::random_feeds;
using weights::RandomNet;
using weights::relative_difference;

/// conv -> Relu -> conv, its channels scaled apart by up to `factor` either way.
Graph chain(float factor) {
  std::vector<float> apart;
  std::vector<float> back;
  for (int c = 0; c < 8; ++c) {
    apart.push_back(std::pow(factor, static_cast<float>(c) / 3.5F - 1.0F));
    back.push_back(1.0F / apart.back());
  }
  return RandomNet(11)
      .input("x", {1, 3, 8, 8})
      .weight("w1", {8, 3, 3, 3}, apart)
      .weight("b1", {8}, apart)
      .weight("w2", {4, 8, 1, 1}, back, 1)
      .node("Conv", {"x", "w1", "b1"}, "a", {1, 8, 6, 6})
      .node("Relu", {"a"}, "r", {1, 8, 6, 6})
      .node("Conv", {"r", "w2"}, "y", {1, 4, 6, 6})
      .finish({"y"});
}

test::MemoryDataset samples_for(const Graph& graph) {
  std::vector<data::Sample> samples;
  for (auto& feeds : random_feeds(graph, 16, 2)) samples.push_back(std::move(feeds));
  return test::MemoryDataset(std::move(samples));
}

EqualizationResult run(Graph& graph, Granularity granularity, int threads = 1) {
  QuantizeOptions options;
  options.plan.granularity = granularity;
  options.observer.kind = calibrate::ObserverKind::kMse;
  return equalize(graph, options, target::load_target("SM8650"), samples_for(graph), threads,
                  silent_progress());
}

TEST(Equalize, PerTensorErrorFallsByAFactorOfTwenty) {
  const Graph original = chain(100.0F);
  Graph graph = original;
  const EqualizationResult result = run(graph, Granularity::kTensor);
  ASSERT_EQ(result.groups.size(), 1U);
  EXPECT_FALSE(result.reverted);
  EXPECT_GT(result.groups[0].strength, 0.0);
  EXPECT_LT(result.error_after, result.error_before / 20.0);
  EXPECT_LT(relative_difference(original, graph, random_feeds(graph, 4, 77)), kRoundingOnly);
}

TEST(Equalize, ActivationRangesGainPerChannelToo) {
  Graph graph = chain(100.0F);
  const EqualizationResult result = run(graph, Granularity::kChannel);
  EXPECT_FALSE(result.reverted);
  EXPECT_LT(result.error_after, result.error_before / 4.0);
}

TEST(Equalize, WhatIsEvenAlreadyStaysAsItIs) {
  const Graph original = chain(1.0F);
  Graph graph = original;
  const EqualizationResult result = run(graph, Granularity::kChannel);
  ASSERT_EQ(result.groups.size(), 1U);
  for (const auto& [name, tensor] : original.initializers()) {
    EXPECT_EQ(*graph.find_initializer(name), tensor) << name;
  }
}

TEST(Equalize, NoGroupsNoWork) {
  Graph graph = RandomNet(1)
                    .input("x", {1, 3, 8, 8})
                    .weight("w1", {8, 3, 3, 3})
                    .node("Conv", {"x", "w1"}, "y", {1, 8, 6, 6})
                    .finish({"y"});
  EXPECT_TRUE(run(graph, Granularity::kTensor).groups.empty());
}

TEST(Equalize, SameBytesForAnyThreads) {
  Graph one = chain(100.0F);
  Graph three = chain(100.0F);
  const EqualizationResult a = run(one, Granularity::kTensor, 1);
  const EqualizationResult b = run(three, Granularity::kTensor, 3);
  EXPECT_EQ(a.error_after, b.error_after);
  for (const auto& [name, tensor] : one.initializers()) {
    EXPECT_EQ(*three.find_initializer(name), tensor) << name;
  }
}

}  // namespace
}  // namespace hexquant::pipeline
