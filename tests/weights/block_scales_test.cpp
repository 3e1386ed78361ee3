#include "weights/block_scales.h"

#include <gtest/gtest.h>

#include <random>

#include "graph/graph.h"
#include "hexquant/progress.h"
#include "weights/quantize_weights.h"

namespace hexquant::weights {
namespace {

quant::TensorPolicy group_policy(int axis, std::int64_t block, int block_scale_bits) {
  quant::TensorPolicy policy;
  policy.role = quant::Role::kWeight;
  policy.type = DType::kInt4;
  policy.symmetric = true;
  policy.granularity = Granularity::kGroup;
  policy.axis = axis;
  policy.block_size = block;
  policy.block_scale_bits = block_scale_bits;
  return policy;
}

struct Result {
  Encoding encoding;
  Tensor values;
  WeightReport report;
};

Result quantize(const Tensor& weight, const quant::TensorPolicy& policy, bool clip_search = false) {
  graph::Graph graph;
  graph.add_initializer("w", weight);
  quant::QuantPlan plan;
  plan.tensors["w"] = policy;
  quant::EncodingTable encodings;
  const auto reports =
      quantize_weights(graph, plan, encodings, {.clip_search = clip_search}, silent_progress());
  return {encodings.tensors.at("w"), *graph.find_initializer("w"), reports.at(0)};
}

// Blocks of 2 in two channels (columns). Channel 0: largest scale 16 gives the unit 1; the block of
// 28 = 7 * 4 fits 4 units. Channel 1: unit 0.5; the tiny block takes the smallest integer.
TEST(BlockScales, IntegersTimesTheChannelsScaleByHand) {
  const Tensor weight =
      Tensor::from<float>({4, 2}, std::vector<float>{112, -56, -112, 56, 28, 0.7F, -4, 0});
  const Result result = quantize(weight, group_policy(0, 2, 4));
  EXPECT_EQ(result.encoding.channel_scale, (std::vector<float>{1.0F, 0.5F}));
  EXPECT_EQ(result.encoding.block_int_scale, (std::vector<std::uint16_t>{16, 16, 4, 1}));
  EXPECT_EQ(result.encoding.scale, (std::vector<float>{16.0F, 8.0F, 4.0F, 0.5F}));
  EXPECT_EQ(
      std::vector<float>(result.values.data<float>().begin(), result.values.data<float>().end()),
      (std::vector<float>{112, -56, -112, 56, 28, 0.5F, -4, 0}));
}

TEST(BlockScales, OfTheTwoIntegersTheBetterOneIsTaken) {
  // Unit 1. Scale 2.43: under 2 the 17 clips to 14 (error 9), under 3 it becomes 18 (error 1).
  const Tensor up = Tensor::from<float>({1, 4}, std::vector<float>{112, 0, 17, 0});
  EXPECT_EQ(quantize(up, group_policy(1, 2, 4)).encoding.block_int_scale[1], 3);
  // Scale 2.14: under 2 the 15 clips to 14 and 2 is exact; under 3 the 2 becomes 3, the 15 stays.
  const Tensor down = Tensor::from<float>({1, 8}, std::vector<float>{112, 0, 0, 0, 15, 2, 2, 2});
  EXPECT_EQ(quantize(down, group_policy(1, 4, 4)).encoding.block_int_scale[1], 2);
}

TEST(BlockScales, CostLittleAgainstFreeScales) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  std::vector<float> values(96 * 33);
  for (float& value : values) value = normal(random);
  for (const int axis : {0, 1}) {
    const Tensor weight = Tensor::from<float>(axis == 0 ? Shape{96, 33} : Shape{33, 96}, values);
    for (const bool clip_search : {false, true}) {
      const Result free = quantize(weight, group_policy(axis, 32, 0), clip_search);
      const Result two = quantize(weight, group_policy(axis, 32, 4), clip_search);
      EXPECT_FALSE(free.encoding.has_two_level_scales());
      ASSERT_TRUE(two.encoding.has_two_level_scales());
      EXPECT_EQ(two.encoding.channel_scale.size(), 33U);
      // Integers of 4 bits are within 1/16 to 1/32 of the free scales.
      EXPECT_GT(two.report.sqnr_db, free.report.sqnr_db - 0.3);
      EXPECT_EQ(fake_quantize_tensor(two.values, two.encoding), two.values);
      for (const std::uint16_t integer : two.encoding.block_int_scale) {
        EXPECT_GE(integer, 1);
        EXPECT_LE(integer, 16);
      }
    }
  }
}

TEST(BlockScales, ProductsWithTheEightBitGridAreExact) {
  for (const float scale : {0.1F, 1.0F / 3.0F, 1e-7F, 12345.678F}) {
    const float unit = exact_channel_scale(scale);
    EXPECT_NEAR(unit, scale, scale / 65536.0F);
    for (int code = -128; code <= 127; ++code) {
      EXPECT_EQ(static_cast<double>(static_cast<float>(code) * unit),
                static_cast<double>(code) * static_cast<double>(unit));
    }
  }
  EXPECT_GT(exact_channel_scale(0.0F), 0.0F);
}

TEST(BlockScales, AllZeroWeightsAreExact) {
  const Result result = quantize(Tensor(DType::kFloat32, {32, 3}), group_policy(0, 16, 4));
  for (const float value : result.values.data<float>()) EXPECT_EQ(value, 0.0F);
  for (const float scale : result.encoding.scale) EXPECT_GT(scale, 0.0F);
}

}  // namespace
}  // namespace hexquant::weights
