#include "weights/quantize_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "hexquant/error.h"
#include "weights/clip_search.h"

namespace hexquant::weights {
namespace {

using graph::Graph;
using quant::EncodingTable;
using quant::QuantPlan;
using quant::Role;
using quant::TensorPolicy;

TensorPolicy weight_policy(Granularity granularity, DType type = DType::kInt8) {
  TensorPolicy policy;
  policy.role = Role::kWeight;
  policy.type = type;
  policy.symmetric = true;
  policy.granularity = granularity;
  policy.axis = 0;
  return policy;
}

Tensor random_weight(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = normal(random);
  return Tensor::from<float>(shape, values);
}

TEST(QuantizeWeights, PerChannelByHand) {
  Graph graph;
  graph.add_initializer("w", Tensor::from<float>({2, 2}, std::vector<float>{127, 63.4F, 1.27F, 0}));
  QuantPlan plan;
  plan.tensors["w"] = weight_policy(Granularity::kChannel);
  EncodingTable encodings;
  (void)quantize_weights(graph, plan, encodings, {}, silent_progress());
  EXPECT_EQ(encodings.tensors.at("w").scale, (std::vector<float>{1.0F, 0.01F}));
  const auto values = graph.find_initializer("w")->data<float>();
  EXPECT_EQ(values[1], 63.0F);
  EXPECT_FLOAT_EQ(values[2], 1.27F);
}

TEST(QuantizeWeights, ConstantOperandsGoOnTheirGridAndSaturatedOnesStay) {
  Graph graph;
  graph.add_initializer(
      "table", Tensor::from<float>({5}, std::vector<float>{0.126F, 2.49F, -1.0F, -10000.0F, 9.0F}));
  QuantPlan plan;
  plan.tensors["table"].role = Role::kActivation;
  EncodingTable encodings;
  Encoding& encoding = encodings.tensors["table"];
  encoding.scale = {0.25F};  // -1 ... 62.75
  encoding.zero_point = {4};
  EXPECT_TRUE(quantize_weights(graph, plan, encodings, {}, silent_progress()).empty());
  const Tensor expected =
      Tensor::from<float>({5}, std::vector<float>{0.25F, 2.5F, -1.0F, -10000.0F, 9.0F});
  EXPECT_EQ(*graph.find_initializer("table"), expected);
}

TEST(QuantizeWeights, RangeFactorLeavesTheHighestCodesUnused) {
  Graph graph;
  graph.add_initializer("w", Tensor::from<float>({1, 2}, std::vector<float>{3.2639F, -3.2639F}));
  QuantPlan plan;
  plan.tensors["w"] = weight_policy(Granularity::kChannel, DType::kInt16);
  plan.tensors["w"].range_factor = 32767.0F / 32639.0F;
  EncodingTable encodings;
  (void)quantize_weights(graph, plan, encodings, {}, silent_progress());
  EXPECT_FLOAT_EQ(encodings.tensors.at("w").scale[0], 1e-4F);
  const Tensor codes = quantize_tensor(*graph.find_initializer("w"), encodings.tensors.at("w"));
  EXPECT_EQ(to_doubles(codes), (std::vector<double>{32639, -32639}));
}

TEST(QuantizeWeights, NearestRoundingReproducesTheFloatFile) {
  for (const DType type : {DType::kInt4, DType::kInt8, DType::kInt16}) {
    Graph graph;
    graph.add_initializer("w", random_weight({8, 33}, 3));
    QuantPlan plan;
    plan.tensors["w"] = weight_policy(Granularity::kChannel, type);
    EncodingTable encodings;
    (void)quantize_weights(graph, plan, encodings, {}, silent_progress());
    const Tensor on_grid = *graph.find_initializer("w");
    EXPECT_EQ(fake_quantize_tensor(on_grid, encodings.tensors.at("w")), on_grid);
  }
}

TEST(QuantizeWeights, ClipSearchHelpsAtFourBits) {
  Graph graph;
  graph.add_initializer("w", random_weight({4, 512}, 5));
  QuantPlan plan;
  plan.tensors["w"] = weight_policy(Granularity::kChannel, DType::kInt4);
  EncodingTable encodings;
  const auto reports =
      quantize_weights(graph, plan, encodings, {.clip_search = true}, silent_progress());
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_GT(reports[0].sqnr_db, reports[0].min_max_sqnr_db + 1.0);
}

TEST(QuantizeWeights, NamesTheWeightThatIsNotFinite) {
  Graph graph;
  graph.add_initializer("conv.w",
                        Tensor::from<float>({2}, std::vector<float>{1.0F, std::nanf("")}));
  QuantPlan plan;
  plan.tensors["conv.w"] = weight_policy(Granularity::kTensor);
  EncodingTable encodings;
  try {
    (void)quantize_weights(graph, plan, encodings, {}, silent_progress());
    FAIL() << "NaN was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidModel);
    EXPECT_NE(std::string(error.what()).find("'conv.w' holds nan at element 1"), std::string::npos)
        << error.what();
  }
}

TEST(ClipSearch, NeverLosesToMinMaxAndMatchesBruteForce) {
  const Tensor weight = random_weight({257}, 11);
  const auto values = weight.data<float>();
  const Range range = search_clip_range(values, {}, DType::kInt4, true, false);
  const auto error_of = [&](Range candidate) {
    const Encoding encoding = encoding_from_range(candidate, DType::kInt4, true);
    const Tensor rounded = fake_quantize_tensor(weight, encoding);
    double error = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double difference = static_cast<double>(values[i]) - rounded.data<float>()[i];
      error += difference * difference;
    }
    return error;
  };
  Range full;
  for (const float value : values) {
    full.min = std::min(full.min, value);
    full.max = std::max(full.max, value);
  }
  double best = std::numeric_limits<double>::infinity();
  for (int step = 64; step >= 16; --step) {
    const float factor = static_cast<float>(step) / 64;
    best = std::min(best, error_of({full.min * factor, full.max * factor}));
  }
  EXPECT_LT(error_of(range), error_of(full));
  // x * (1 / scale) and x / scale may round one element differently.
  EXPECT_NEAR(error_of(range), best, 1e-3 * best);
}

TEST(ClipSearch, ImportanceProtectsOutliers) {
  std::vector<float> values(200, 0.1F);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += 0.001F * static_cast<float>(i);
  values[7] = 4.0F;
  std::vector<float> importance(values.size(), 1.0F);
  const Range plain = search_clip_range(values, importance, DType::kInt4, true, false);
  importance[7] = 1e6F;
  const Range guarded = search_clip_range(values, importance, DType::kInt4, true, false);
  EXPECT_LT(plain.max, 4.0F);
  EXPECT_GT(guarded.max, 3.9F);
}

TEST(QuantizeBiases, ScaleIsTheProductAndDeadChannelsWidenTheWeight) {
  Graph graph;
  graph.add_initializer("w", Tensor::from<float>({2, 1}, std::vector<float>{1.27F, 1e-12F}));
  graph.add_initializer("b", Tensor::from<float>({2}, std::vector<float>{0.5F, 3.0F}));
  QuantPlan plan;
  plan.tensors["w"] = weight_policy(Granularity::kChannel);
  plan.biases["b"] = {"x", "w"};
  EncodingTable encodings;
  (void)quantize_weights(graph, plan, encodings, {}, silent_progress());
  Encoding activation;
  activation.scale = {0.1F};
  activation.zero_point = {0};
  encodings.tensors["x"] = activation;
  (void)quantize_biases(graph, plan, encodings);
  const Encoding& bias = encodings.tensors.at("b");
  EXPECT_FLOAT_EQ(bias.scale[0], 0.001F);
  const Tensor codes = quantize_tensor(*graph.find_initializer("b"), bias);
  EXPECT_EQ(to_doubles(codes)[0], 500.0);
  EXPECT_NEAR(graph.find_initializer("b")->data<float>()[1], 3.0F, 1e-5F);
  EXPECT_LE(std::abs(to_doubles(codes)[1]), 1073741824.0 * 1.001);
}

TEST(QuantizeWeights, AGivenGridIsKeptAndRoundedTo) {
  Graph graph;
  graph.add_initializer("w", Tensor::from<float>({2, 1}, std::vector<float>{1.3F, -0.26F}));
  QuantPlan plan;
  plan.tensors["w"] = weight_policy(Granularity::kTensor);
  Encoding given = quant::empty_encoding(plan.tensors.at("w"));
  given.scale = {0.25F};
  given.zero_point = {0};
  plan.tensors["w"].fixed_encoding = given;
  EncodingTable encodings;
  (void)quantize_weights(graph, plan, encodings, {.clip_search = true}, silent_progress());
  EXPECT_EQ(encodings.tensors.at("w"), given);
  EXPECT_EQ(graph.find_initializer("w")->data<float>()[0], 1.25F);
  EXPECT_EQ(graph.find_initializer("w")->data<float>()[1], -0.25F);
}

TEST(QuantizeBiases, GivenWeightsKeepTheirScaleAndASaturatedBiasIsReported) {
  Graph graph;
  graph.add_initializer("w", Tensor::from<float>({1, 1}, std::vector<float>{1.0F}));
  graph.add_initializer("b", Tensor::from<float>({1}, std::vector<float>{3.0F}));
  QuantPlan plan;
  plan.tensors["w"] = weight_policy(Granularity::kTensor);
  plan.biases["b"] = {"x", "w"};
  Encoding given = quant::empty_encoding(plan.tensors.at("w"));
  given.scale = {1e-12F};
  given.zero_point = {0};
  plan.tensors["w"].fixed_encoding = given;
  EncodingTable encodings;
  (void)quantize_weights(graph, plan, encodings, {}, silent_progress());
  encodings.tensors["x"].scale = {0.1F};
  encodings.tensors["x"].zero_point = {0};
  const Findings findings = quantize_biases(graph, plan, encodings);
  EXPECT_EQ(encodings.tensors.at("w").scale[0], 1e-12F);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].id, "bias-saturates");
  EXPECT_EQ(findings[0].where, "b");
}

TEST(QuantizeBiases, ScaleFollowsTheEdgeThatTheLayerReads) {
  Graph graph;
  graph.add_initializer("w", Tensor::from<float>({1, 1}, std::vector<float>{1.27F}));
  graph.add_initializer("b", Tensor::from<float>({1}, std::vector<float>{0.5F}));
  QuantPlan plan;
  plan.tensors["w"] = weight_policy(Granularity::kChannel);
  plan.biases["b"] = {"x", "w", quant::EdgeKey{"layer", 0}};
  EncodingTable encodings;
  (void)quantize_weights(graph, plan, encodings, {}, silent_progress());
  Encoding activation;
  activation.scale = {0.1F};
  activation.zero_point = {0};
  encodings.tensors["x"] = activation;
  activation.scale = {0.25F};
  encodings.edges[{"layer", 0}] = activation;
  (void)quantize_biases(graph, plan, encodings);
  EXPECT_FLOAT_EQ(encodings.tensors.at("b").scale[0], 0.0025F);
}

}  // namespace
}  // namespace hexquant::weights
