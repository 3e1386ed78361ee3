#include "pipeline/quantization_error.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "pipeline/equalize.h"
#include "pipeline/group_error.h"
#include "plan/plan.h"
#include "support/memory_dataset.h"
#include "target/target.h"
#include "weights/equalization_testing.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using weights::random_feeds;
using weights::RandomNet;
using weights::relative_difference;

/// conv -> Relu -> depthwise conv -> Relu -> conv, all with biases; the values behind the
/// first Relu are nearly constant where `offset` is large, so that rounding errors of weights are
/// mostly shifts of the outputs.
Graph chain(float offset, std::int64_t pad = 0) {
  const graph::Attributes depthwise = {{"group", std::int64_t{8}},
                                       {"pads", std::vector<std::int64_t>(4, pad)}};
  const std::int64_t size = 6 + 2 * pad;
  return RandomNet(5)
      .input("x", {1, 3, 8, 8})
      .weight("w1", {8, 3, 1, 1})
      .values("b1", {8}, std::vector<float>(8, offset))
      .weight("w2", {8, 1, 3, 3}, {30.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 0.1F})
      .values("b2", {8}, std::vector<float>(8, 2.0F * offset))
      .weight("w3", {4, 8, 1, 1}, {0.03F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 10.0F}, 1)
      .weight("b3", {4})
      .node("Conv", {"x", "w1", "b1"}, "a", {1, 8, 8, 8})
      .node("Relu", {"a"}, "ra", {1, 8, 8, 8})
      .node("Conv", {"ra", "w2", "b2"}, "b", {1, 8, size, size}, depthwise)
      .node("Relu", {"b"}, "rb", {1, 8, size, size})
      .node("Conv", {"rb", "w3", "b3"}, "y", {1, 4, size, size})
      .finish({"y"});
}

test::MemoryDataset samples_for(const Graph& graph) {
  std::vector<data::Sample> samples;
  for (auto& feeds : random_feeds(graph, 16, 2)) samples.push_back(std::move(feeds));
  return test::MemoryDataset(std::move(samples));
}

QuantizeOptions tensor_options(bool correct_bias) {
  QuantizeOptions options;
  options.plan.granularity = Granularity::kTensor;
  options.plan.act_bits = 16;  // the weights' errors are what is looked at
  if (!correct_bias) return options;
  options.rounding.emplace();
  options.rounding->mode = RoundingMode::kOnePass;
  options.rounding->solver.clip_search = false;
  options.rounding->solver.gptq = false;
  options.rounding->solver.coordinate_descent = false;
  options.rounding->solver.rescale = false;
  return options;
}

double whole_error(const Graph& graph, const QuantizeOptions& options, int threads = 1) {
  const quant::QuantPlan plan = plan::make_plan(graph, target::load_target("SM8650"), options.plan);
  return QuantizationMeter(graph, options, samples_for(graph), 8, threads).model_error(graph, plan);
}

TEST(QuantizationMeter, BiasCorrectionOfTheRecipeCounts) {
  const Graph graph = chain(20.0F);
  const double nearest = whole_error(graph, tensor_options(false));
  const double corrected = whole_error(graph, tensor_options(true));
  EXPECT_GT(corrected, 0.0);
  EXPECT_LT(corrected, nearest / 4.0);
}

TEST(QuantizationMeter, RoundingBelowEightBitsIsSearched) {
  const Graph graph = chain(1.0F);
  QuantizeOptions options = tensor_options(true);
  options.plan.granularity = Granularity::kChannel;
  options.plan.weight_bits = 4;
  options.plan.weight_bits_everywhere = true;
  const double nearest = whole_error(graph, options);
  options.rounding->solver.clip_search = true;
  options.rounding->solver.coordinate_descent = true;
  EXPECT_LT(whole_error(graph, options), nearest);
}

TEST(QuantizationMeter, SameErrorForAnyThreads) {
  const Graph graph = chain(1.0F);
  for (const bool correct_bias : {false, true}) {
    const QuantizeOptions options = tensor_options(correct_bias);
    EXPECT_EQ(whole_error(graph, options, 1), whole_error(graph, options, 3));
  }
}

/// The groups' errors at their consumers against runs of the whole net.
TEST(GroupErrorMeter, IsTheErrorAtTheConsumers) {
  const Graph graph = chain(1.0F, 1);
  const QuantizeOptions options = tensor_options(true);
  const quant::QuantPlan plan = plan::make_plan(graph, target::load_target("SM8650"), options.plan);
  const auto feeds = random_feeds(graph, 16, 2);
  const test::MemoryDataset data = samples_for(graph);
  GroupErrorMeter meter(options, plan, data, 16, 2);
  const auto groups = weights::find_scale_groups(graph);
  ASSERT_EQ(groups.size(), 2U);
  for (int round = 0; round < 2; ++round) {
    for (const weights::ScaleGroup& group : groups) {
      quant::QuantPlan part;
      for (const std::string& name : {group.values.front(), group.values.back()}) {
        const auto found = plan.tensors.find(name);
        if (found != plan.tensors.end()) part.tensors.insert(*found);
      }
      for (const std::string& output : {group.producers.front(), group.consumers.front()}) {
        part.tensors.insert(*plan.tensors.find(graph.producer(output)->input(1)));
      }
      for (const auto& [name, source] : plan.biases) {
        if (part.tensors.contains(source.weight)) part.biases.emplace(name, source);
      }
      Graph tapped = graph;
      if (!tapped.is_output(group.consumers.front())) tapped.add_output(group.consumers.front());
      const Graph quantized =
          quantized_graph(tapped, part, options, feeds, {.quantize_biases = false});
      const auto output = std::vector<std::string>{group.consumers.front()};
      const runtime::Session left(tapped, {}, output);
      const runtime::Session right(quantized, {.integer_kernels = false}, output);
      double noise = 0.0;
      double signal = 0.0;
      for (const auto& sample : feeds) {
        const auto y = left.run(sample)[0];
        const auto z = right.run(sample)[0];
        for (std::size_t i = 0; i < y.data<float>().size(); ++i) {
          const double d = static_cast<double>(y.data<float>()[i] - z.data<float>()[i]);
          noise += d * d;
          signal += static_cast<double>(y.data<float>()[i]) * y.data<float>()[i];
        }
      }
      constexpr double kFloatSums = 1e-3;  // sums of a channel are float, and so are the runs
      const double error = meter.measure(graph, group, {})(graph);
      EXPECT_NEAR(error, noise / signal, kFloatSums * error) << group.consumers.front();
    }
  }
}

/// Nearest rounding alone loses most to shifts, which scales reduce; with bias correction the model
/// is judged by what is left.
TEST(Equalize, JudgesByTheRecipe) {
  const Graph original = chain(20.0F);
  Graph nearest = original;
  Graph corrected = original;
  const auto target = target::load_target("SM8650");
  const test::MemoryDataset data = samples_for(original);
  const EqualizationResult a =
      equalize(nearest, tensor_options(false), target, data, 1, silent_progress());
  const EqualizationResult b =
      equalize(corrected, tensor_options(true), target, data, 1, silent_progress());
  ASSERT_EQ(a.groups.size(), 2U);
  ASSERT_EQ(b.groups.size(), 2U);
  EXPECT_LT(b.error_before, a.error_before / 4.0);
  for (const EqualizationResult* result : {&a, &b}) {
    EXPECT_FALSE(result->reverted);
    EXPECT_LT(result->error_after, 0.8 * result->error_before);
  }
  EXPECT_LT(relative_difference(original, corrected, random_feeds(original, 4, 77)),
            weights::kRoundingOnly);
}

}  // namespace
}  // namespace hexquant::pipeline
