#include "weights/equalize_cross_layer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "weights/absorb_bias.h"
#include "weights/channel_bounds.h"
#include "weights/equalization_testing.h"

namespace hexquant::weights {
namespace {

using graph::Graph;

/// The error of the whole net with all weights rounded: it sees the group, and nothing hides it.
GroupMeter whole_net_meter(const Graph& reference, const std::vector<runtime::Feeds>& feeds) {
  return [&reference, &feeds](const Graph&, const ScaleGroup&, const ChannelGains&) {
    return [&reference, &feeds](const Graph& candidate) {
      return relative_difference(reference, round_weights(candidate), feeds);
    };
  };
}

std::vector<float> wild_factors(std::size_t count, unsigned seed, float decades) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> exponent(-decades, decades);
  std::vector<float> factors(count);
  for (float& factor : factors) factor = std::pow(10.0F, exponent(random));
  return factors;
}

std::vector<float> inverse(std::vector<float> factors) {
  for (float& factor : factors) factor = 1.0F / factor;
  return factors;
}

/// conv -> Relu -> depthwise -> Relu -> conv whose channels are scaled apart by `decades` either
/// way, as training with BatchNormalization leaves them.
Graph uneven_net(unsigned seed, float decades) {
  const graph::Attributes depthwise = {{"group", std::int64_t{12}},
                                       {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
  const auto first = wild_factors(12, seed, decades);
  const auto second = wild_factors(12, seed + 100, decades);
  std::vector<float> middle = second;
  for (std::size_t c = 0; c < middle.size(); ++c) middle[c] /= first[c];
  return RandomNet(seed)
      .input("x", {1, 3, 6, 6})
      .weight("w1", {12, 3, 1, 1}, first)
      .weight("b1", {12}, first)
      .weight("w2", {12, 1, 3, 3}, middle)
      .weight("b2", {12}, second)
      .weight("w3", {5, 12, 1, 1}, inverse(second), 1)
      .node("Conv", {"x", "w1", "b1"}, "a", {1, 12, 6, 6})
      .node("Relu", {"a"}, "ra", {1, 12, 6, 6})
      .node("Conv", {"ra", "w2", "b2"}, "b", {1, 12, 6, 6}, depthwise)
      .node("Relu", {"b"}, "rb", {1, 12, 6, 6})
      .node("Conv", {"rb", "w3"}, "y", {1, 5, 6, 6})
      .finish({"y"});
}

struct Outcome {
  Graph graph;
  std::vector<EqualizedGroup> groups;
};

Outcome equalized(const Graph& graph, const std::vector<runtime::Feeds>& feeds, int threads = 1) {
  Outcome outcome{graph, {}};
  ChannelTable table = observe(graph, feeds);
  const quant::QuantPlan plan = simple_plan(graph, Granularity::kTensor);
  EqualizationOptions options;
  options.threads = threads;
  outcome.groups = equalize_cross_layer(outcome.graph, plan, table, whole_net_meter(graph, feeds),
                                        options, silent_progress());
  return outcome;
}

TEST(EqualizeCrossLayer, UnevenNetGainsAFactorOfThirty) {
  const Graph graph = uneven_net(3, 2.0F);
  const auto feeds = random_feeds(graph, 8, 17);
  const Outcome outcome = equalized(graph, feeds);
  const auto fresh = random_feeds(graph, 8, 18);
  EXPECT_LT(relative_difference(graph, outcome.graph, fresh), kRoundingOnly);
  const double before = relative_difference(graph, round_weights(graph), fresh);
  const double after = relative_difference(graph, round_weights(outcome.graph), fresh);
  EXPECT_LT(after, before / 30.0);
  ASSERT_EQ(outcome.groups.size(), 2U);
  for (const EqualizedGroup& group : outcome.groups) {
    EXPECT_GT(group.strength, 0.0);
    EXPECT_LT(group.error_after, group.error_before);
    EXPECT_GT(group.scaled, 6);
    EXPECT_GT(group.largest_ratio, 10.0);
  }
}

TEST(EqualizeCrossLayer, ErrorsAfterAreThoseOfTheResult) {
  for (unsigned seed = 3; seed < 7; ++seed) {
    const Graph graph = uneven_net(seed, 2.0F);
    const auto feeds = random_feeds(graph, 4, 17);
    for (const int threads : {1, 3}) {
      const Outcome outcome = equalized(graph, feeds, threads);
      const double error = relative_difference(graph, round_weights(outcome.graph), feeds);
      for (const EqualizedGroup& group : outcome.groups) EXPECT_EQ(group.error_after, error);
    }
  }
}

TEST(EqualizeCrossLayer, NeverWorseThanBefore) {
  for (unsigned seed = 20; seed < 32; ++seed) {
    const Graph graph = uneven_net(seed, static_cast<float>(seed % 4) * 0.5F);
    const auto feeds = random_feeds(graph, 4, seed);
    const Outcome outcome = equalized(graph, feeds);
    EXPECT_LE(relative_difference(graph, round_weights(outcome.graph), feeds),
              relative_difference(graph, round_weights(graph), feeds))
        << seed;
    EXPECT_LT(relative_difference(graph, outcome.graph, feeds), kRoundingOnly) << seed;
  }
}

TEST(EqualizeCrossLayer, RefusesWhatTheMeasurementDoesNotConfirm) {
  const Graph graph = uneven_net(3, 2.0F);
  Graph changed = graph;
  ChannelTable table = observe(graph, random_feeds(graph, 4, 17));
  const quant::QuantPlan plan = simple_plan(graph, Granularity::kTensor);
  const GroupMeter unmoved = [](const Graph&, const ScaleGroup&, const ChannelGains&) {
    return [](const Graph&) { return 0.5; };
  };
  const auto groups = equalize_cross_layer(changed, plan, table, unmoved, {}, silent_progress());
  for (const EqualizedGroup& group : groups) {
    EXPECT_EQ(group.strength, 0.0);
    EXPECT_TRUE(group.rejected);
    EXPECT_EQ(group.scaled, 0);
  }
  for (const auto& [name, tensor] : graph.initializers()) {
    EXPECT_EQ(*changed.find_initializer(name), tensor);
  }
}

TEST(EqualizeCrossLayer, SecondRunFindsNothing) {
  const Graph graph = uneven_net(5, 1.5F);
  const auto feeds = random_feeds(graph, 8, 17);
  const Outcome once = equalized(graph, feeds);
  const Outcome twice = equalized(once.graph, feeds);
  const double before = relative_difference(graph, round_weights(once.graph), feeds);
  const double after = relative_difference(graph, round_weights(twice.graph), feeds);
  EXPECT_GT(after, 0.5 * before);
  for (const EqualizedGroup& group : twice.groups) EXPECT_LT(group.largest_ratio, 4.0);
}

TEST(EqualizeCrossLayer, SameBytesForAnyThreads) {
  const Graph graph = uneven_net(6, 2.0F);
  const auto feeds = random_feeds(graph, 4, 17);
  const Outcome one = equalized(graph, feeds, 1);
  const Outcome four = equalized(graph, feeds, 4);
  for (const auto& [name, tensor] : one.graph.initializers()) {
    EXPECT_EQ(*four.graph.find_initializer(name), tensor) << name;
  }
}

// ---- Clip

/// [0, 6] -> conv -> Clip -> conv. Channel 0 stays below 6 for every input, channel 1 on the data
/// only, channel 2 reaches 6.
Graph clipped_net() {
  return RandomNet(7)
      .input("x", {1, 2, 4, 4})
      .values("zero", {}, {0.0F})
      .values("six", {}, {6.0F})
      .values("w1", {3, 2, 1, 1}, {0.2F, 0.2F, 2.0F, -1.0F, 20.0F, 20.0F})
      .values("b1", {3}, {0.5F, 0.1F, 0.0F})
      .weight("w2", {3, 3, 1, 1}, {}, 1)
      .node("Clip", {"x", "zero", "six"}, "c", {1, 2, 4, 4})
      .node("Conv", {"c", "w1", "b1"}, "a", {1, 3, 4, 4})
      .node("Clip", {"a", "zero", "six"}, "r", {1, 3, 4, 4})
      .node("Conv", {"r", "w2"}, "y", {1, 3, 4, 4})
      .finish({"y"});
}

TEST(EqualizeCrossLayer, ClipLimitsTheScales) {
  const Graph graph = clipped_net();
  const auto groups = find_scale_groups(graph);
  ASSERT_EQ(groups.size(), 1U);
  ASSERT_EQ(groups[0].clips.size(), 1U);
  EXPECT_EQ(groups[0].clips[0].limit, 6.0F);
  const ChannelTable table = observe(graph, random_feeds(graph, 8, 3, 0.7F));
  ASSERT_LT(table.at("r").max[1], 6.0 / 1.25);
  ASSERT_EQ(table.at("r").max[2], 6.0);
  const quant::QuantPlan plan = simple_plan(graph, Granularity::kTensor);
  const auto bounds = channel_bounds(graph);
  EXPECT_NEAR(bounds.at("a").high[0], 2.9, 1e-5);
  const GroupProblem built =
      make_scale_problem(graph, plan, groups[0], table, channel_gains(graph, table), bounds, {});
  EXPECT_EQ(built.clipped.exact, 1);
  EXPECT_EQ(built.clipped.observed, 1);
  EXPECT_EQ(built.clipped.fixed, 1);
  EXPECT_NEAR(std::exp(built.problem.low[0]), 2.9 / 6.0, 1e-5);
  EXPECT_NEAR(std::exp(built.problem.low[1]), 1.25 * table.at("r").max[1] / 6.0, 1e-6);
  EXPECT_EQ(built.problem.low[2], 0.0);
  EXPECT_EQ(built.problem.high[2], 0.0);
}

TEST(EqualizeCrossLayer, ChannelsBoundedByIntervalsAreExactForEveryInput) {
  const Graph graph = clipped_net();
  const auto group = find_scale_groups(graph).at(0);
  const auto huge = random_feeds(graph, 8, 4, 50.0F);
  for (const double scale : {2.9001 / 6.0, 1.0, 40.0}) {
    Graph scaled = graph;
    apply_scales(scaled, group, {scale, 1.0, 1.0});
    EXPECT_LT(relative_difference(graph, scaled, huge), kRoundingOnly) << scale;
  }
  Graph beyond = graph;  // one step further the Clip bites: the limit is needed
  apply_scales(beyond, group, {0.3, 1.0, 1.0});
  EXPECT_GT(relative_difference(graph, beyond, huge), kRoundingOnly);
}

TEST(EqualizeCrossLayer, OnlyIntervalsWhenNoMarginIsGiven) {
  const Graph graph = clipped_net();
  const auto group = find_scale_groups(graph).at(0);
  const ChannelTable table = observe(graph, random_feeds(graph, 8, 3, 0.7F));
  const GroupProblem built =
      make_scale_problem(graph, simple_plan(graph, Granularity::kTensor), group, table, {},
                         channel_bounds(graph), {.observed_margin = 0.0});
  EXPECT_EQ(built.clipped.exact, 1);
  EXPECT_EQ(built.clipped.observed, 0);
  EXPECT_EQ(built.clipped.fixed, 2);
}

// ---- absorption

Graph biased_net(const graph::Attributes& consumer) {
  const bool padded = !consumer.empty();
  const Shape out = padded ? Shape{1, 2, 4, 4} : Shape{1, 2, 2, 2};
  return RandomNet(8)
      .input("x", {1, 2, 4, 4})
      .values("zero", {}, {0.0F})
      .values("one", {}, {1.0F})
      .values("w1", {3, 2, 1, 1}, {1e-6F, 1e-6F, 1.0F, 0.5F, 0.3F, -0.2F})
      .values("b1", {3}, {-0.1F, 4.0F, 0.0F})
      .weight("w2", {2, 3, 3, 3}, {300.0F, 1.0F, 1.0F}, 1)
      .weight("b2", {2})
      .node("Clip", {"x", "zero", "one"}, "c", {1, 2, 4, 4})
      .node("Conv", {"c", "w1", "b1"}, "a", {1, 3, 4, 4})
      .node("Relu", {"a"}, "r", {1, 3, 4, 4})
      .node("Conv", {"r", "w2", "b2"}, "y", out, consumer)
      .finish({"y"});
}

TEST(AbsorbBias, DeadChannelsVanishAndBoundsMove) {
  const Graph graph = biased_net({});
  Graph absorbed = graph;
  const auto rows = absorb_biases(absorbed, find_scale_groups(graph));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].dead, 1);
  EXPECT_EQ(rows[0].shifted, 1);
  const auto huge = random_feeds(graph, 8, 4, 50.0F);
  EXPECT_LT(relative_difference(graph, absorbed, huge), kRoundingOnly);
  const auto bias = absorbed.find_initializer("b1")->data<float>();
  EXPECT_EQ(bias[0], 0.0F);
  EXPECT_NEAR(bias[1], 0.0F, 1e-5F);
  EXPECT_EQ(bias[2], 0.0F);
  float largest = 0.0F;
  for (const float w : absorbed.find_initializer("w2")->data<float>()) {
    largest = std::max(largest, std::abs(w));
  }
  EXPECT_LT(largest, 3.0F);  // the 300-fold weights reached nothing
}

TEST(AbsorbBias, PaddedConsumersKeepTheirBias) {
  const Graph graph = biased_net({{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  Graph absorbed = graph;
  const auto rows = absorb_biases(absorbed, find_scale_groups(graph));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].dead, 1);
  EXPECT_EQ(rows[0].shifted, 0);
  EXPECT_EQ(*absorbed.find_initializer("b2"), *graph.find_initializer("b2"));
  EXPECT_LT(relative_difference(graph, absorbed, random_feeds(graph, 8, 4, 50.0F)), kRoundingOnly);
}

TEST(AbsorbBias, UnboundedInputsAreLeftAlone) {
  const Graph graph = uneven_net(3, 1.0F);
  Graph absorbed = graph;
  EXPECT_TRUE(absorb_biases(absorbed, find_scale_groups(graph)).empty());
}

}  // namespace
}  // namespace hexquant::weights
