#include "calibrate/encode_activations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "support/graph_builder.h"

namespace hexquant::calibrate {
namespace {

using quant::QuantPlan;
using quant::TensorPolicy;
using ::testing::ElementsAre;

/// The encoding of a value that was observed from `min` to `max`.
Encoding encode(const TensorPolicy& policy, float min, float max) {
  test::GraphBuilder b;
  b.input("x", {1, 4}).node("Abs", {"x"}, {"y"}, {1, 4}).output("y");
  QuantPlan plan;
  plan.tensors["y"] = policy;
  quant::Statistics statistics;
  statistics.values["y"].min = min;
  statistics.values["y"].max = max;
  statistics.values["y"].count = 4;
  ObserverOptions observer;
  observer.kind = ObserverKind::kMinMax;
  Findings findings;
  return encode_activations(b.graph(), plan, statistics, observer, findings).tensors.at("y");
}

TEST(EncodeActivations, SymmetricCodesOfAnUnsignedTypeAreCentred) {
  TensorPolicy policy;
  policy.symmetric = true;
  const Encoding negative = encode(policy, -0.5F, 1.27F);
  EXPECT_FLOAT_EQ(negative.scale[0], 0.01F);
  EXPECT_THAT(negative.zero_point, ElementsAre(128));
  const Encoding positive = encode(policy, 0.0F, 1.27F);
  EXPECT_FLOAT_EQ(positive.scale[0], 0.01F);
  EXPECT_THAT(positive.zero_point, ElementsAre(128));
}

TEST(EncodeActivations, UnsignedSymmetricUsesAllCodesOfPositiveRanges) {
  TensorPolicy policy;
  policy.symmetric = true;
  policy.unsigned_if_positive = true;
  const Encoding positive = encode(policy, 0.0F, 2.55F);
  EXPECT_FLOAT_EQ(positive.scale[0], 0.01F);
  EXPECT_THAT(positive.zero_point, ElementsAre(0));
  EXPECT_TRUE(positive.symmetric);
  EXPECT_THAT(encode(policy, -0.5F, 1.27F).zero_point, ElementsAre(128));
}

TEST(EncodeActivations, LimitsBoundTheObservedRange) {
  TensorPolicy policy;
  policy.range_limits = Range{0.0F, std::numeric_limits<float>::infinity()};
  const Encoding encoding = encode(policy, -1.0F, 2.55F);
  EXPECT_FLOAT_EQ(encoding.scale[0], 0.01F);
  EXPECT_THAT(encoding.zero_point, ElementsAre(0));
}

TEST(EncodeActivations, GivenNumbersWin) {
  TensorPolicy policy;
  policy.fixed_encoding.emplace();
  policy.fixed_encoding->scale = {0.75F};
  policy.fixed_encoding->zero_point = {9};
  policy.fixed_range = Range{0.0F, 1.0F};
  EXPECT_EQ(encode(policy, -1.0F, 2.0F), *policy.fixed_encoding);
}

TEST(TapsForPlan, GivenValuesAreTappedOnlyBesideOthers) {
  test::GraphBuilder b;
  b.input("x", {1, 4}).node("Abs", {"x"}, {"y"}, {1, 4}).output("y");
  QuantPlan plan;
  plan.tensors["y"].fixed_encoding.emplace();
  EXPECT_TRUE(taps_for_plan(b.graph(), plan).empty());
  plan.tensors["x"] = TensorPolicy();
  const auto taps = taps_for_plan(b.graph(), plan);
  ASSERT_EQ(taps.size(), 2U);
  EXPECT_TRUE(taps.at("x").histogram);
  EXPECT_FALSE(taps.at("y").histogram);
}

}  // namespace
}  // namespace hexquant::calibrate
