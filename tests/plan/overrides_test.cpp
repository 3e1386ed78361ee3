#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "hexquant/error.h"
#include "plan/override_numbers.h"
#include "plan/overrides_testing.h"

namespace hexquant::plan {
namespace {

using quant::EdgeKey;
using quant::QuantPlan;
using quant::TensorPolicy;
using test::GraphBuilder;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

PlanOptions with(const std::string& json) {
  PlanOptions options;
  options.overrides =
      std::make_shared<const formats::Overrides>(formats::parse_overrides(json, "o.json"));
  return options;
}

PlanOptions with_activations(const std::string& entries) {
  return with(R"({"activation_encodings": {)" + entries + R"(}, "param_encodings": {}})");
}

PlanOptions with_parameters(const std::string& entries) {
  return with(R"({"activation_encodings": {}, "param_encodings": {)" + entries + "}}");
}

std::string error_of(const GraphBuilder& builder, const PlanOptions& options) {
  try {
    (void)plan_of(builder, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// ---- activations

TEST(PlanOverrides, AWidthReachesTheNodeThatComputesAndThoseThatRead) {
  const QuantPlan plan =
      plan_of(chain(), with_activations(R"("r": [{"bitwidth": 16, "dtype": "int"}])"));
  // c + r is one layer: it computes 16 bits, and so does d, which reads them.
  EXPECT_EQ(plan.tensors.at("r").type, DType::kUInt16);
  EXPECT_EQ(plan.tensors.at("d").type, DType::kUInt16);
  EXPECT_EQ(plan.tensors.at("x").type, DType::kUInt16);
  EXPECT_EQ(plan.tensors.at("y").type, DType::kUInt8);
  EXPECT_EQ(plan.edges.at(EdgeKey{"y", 0}).type, DType::kUInt8);
  EXPECT_EQ(row(plan, "c").act_bits, 16);
}

TEST(PlanOverrides, AReaderWithAWidthOfItsOwnKeepsIt) {
  const QuantPlan plan = plan_of(
      chain(),
      with_activations(
          R"("r": [{"bitwidth": 16, "dtype": "int"}], "d": [{"bitwidth": 8, "dtype": "int"}])"));
  EXPECT_EQ(plan.tensors.at("r").type, DType::kUInt16);
  EXPECT_EQ(plan.tensors.at("d").type, DType::kUInt8);
  EXPECT_EQ(plan.edges.at(EdgeKey{"d", 0}).type, DType::kUInt8);
}

TEST(PlanOverrides, GivenNumbersAreUsedAndNothingIsCalibrated) {
  const QuantPlan plan = plan_of(
      chain(),
      with_activations(
          R"("d": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "scale": 0.5, "offset": -3}],
             "x": [{"bitwidth": 8, "dtype": "int", "min": -1.0, "max": 1.55}])"));
  const TensorPolicy& d = plan.tensors.at("d");
  ASSERT_TRUE(d.fixed_encoding.has_value());
  EXPECT_EQ(d.fixed_encoding->type, DType::kUInt8);
  EXPECT_THAT(d.fixed_encoding->scale, ElementsAre(0.5F));
  EXPECT_THAT(d.fixed_encoding->zero_point, ElementsAre(3));
  // 2.55 in 255 steps of 0.01; 0 is code 100.
  const TensorPolicy& x = plan.tensors.at("x");
  EXPECT_THAT(x.fixed_encoding->scale, ElementsAre(0.01F));
  EXPECT_THAT(x.fixed_encoding->zero_point, ElementsAre(100));
  EXPECT_FALSE(plan.tensors.at("r").fixed_encoding.has_value());
}

TEST(PlanOverrides, SymmetricActivationsAreCentred) {
  const QuantPlan plan =
      plan_of(chain(),
              with(R"({"activation_encodings": {"d": {"dtype": "int16", "is_symmetric": true}}})"));
  EXPECT_EQ(plan.tensors.at("d").type, DType::kUInt16);
  EXPECT_TRUE(plan.tensors.at("d").symmetric);
  EXPECT_FALSE(plan.tensors.at("r").symmetric);
  const QuantPlan given = plan_of(
      chain(),
      with_activations(
          R"("d": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "scale": 0.5, "offset": -128}])"));
  EXPECT_EQ(given.tensors.at("d").type, DType::kUInt8);
  EXPECT_THAT(given.tensors.at("d").fixed_encoding->zero_point, ElementsAre(128));
}

TEST(PlanOverrides, AFloatActivationMakesAnIsland) {
  const QuantPlan plan =
      plan_of(chain(), with_activations(R"("d": [{"bitwidth": 16, "dtype": "float"}])"));
  EXPECT_EQ(row(plan, "d").act_bits, 32);
  EXPECT_THAT(row(plan, "d").reason, HasSubstr("the override of 'd'"));
  EXPECT_FALSE(plan.tensors.contains("d_w"));
  EXPECT_TRUE(plan.tensors.contains("y_w"));
}

TEST(PlanOverrides, NumbersReachWhatMoversShare) {
  GraphBuilder b;
  b.input("x", kImage).int64s("shape", {1, 512});
  conv(b, "x", "c").node("Reshape", {"c", "shape"}, {"f"}, {1, 512});
  b.constant("w", {512, 4}).node("MatMul", {"f", "w"}, {"y"}, {1, 4}).output("y");
  const QuantPlan plan = plan_of(
      b,
      with_activations(R"("f": [{"bitwidth": 16, "dtype": "int", "scale": 0.5, "offset": -7}])"));
  EXPECT_THAT(plan.tensors.at("c").fixed_encoding->zero_point, ElementsAre(7));
  EXPECT_EQ(plan.tensors.at("c").fixed_encoding, plan.tensors.at("f").fixed_encoding);
  EXPECT_EQ(row(plan, "c").act_bits, 16);
}

TEST(PlanOverrides, DifferentNumbersAroundAMoverAreAConflict) {
  GraphBuilder b;
  b.input("x", kImage).int64s("shape", {1, 512});
  conv(b, "x", "c").node("Reshape", {"c", "shape"}, {"f"}, {1, 512}).output("f");
  const QuantPlan plan = plan_of(
      b, with_activations(R"("c": [{"bitwidth": 8, "dtype": "int", "scale": 0.5, "offset": -7}],
                             "f": [{"bitwidth": 8, "dtype": "int", "scale": 0.25, "offset": -7}])"));
  EXPECT_THAT(plan.tensors.at("f").fixed_encoding->scale, ElementsAre(0.5F));
  EXPECT_TRUE(has_finding(plan, "override-conflict", "f: "));
}

// ---- parameters

TEST(PlanOverrides, AWidthOfWeightsIsForced) {
  // A 3x3 convolution gains nothing from 4 bits; asked by name it gets them.
  const QuantPlan plan = plan_of(
      chain(), with(R"({"param_encodings": {"d_w": {"dtype": "int4", "is_symmetric": true}}})"));
  EXPECT_EQ(plan.tensors.at("d_w").type, DType::kInt4);
  EXPECT_EQ(plan.tensors.at("c_w").type, DType::kInt8);
  EXPECT_FALSE(plan.tensors.at("d_w").fixed_encoding.has_value());
}

TEST(PlanOverrides, NumbersOfWeightsPerTensorAndPerChannel) {
  const std::string one =
      R"({"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "offset": -128, "scale": 0.5})";
  std::string eight;
  for (int i = 0; i < 8; ++i) eight += (i == 0 ? "" : ", ") + one;
  const QuantPlan plan =
      plan_of(chain(), with_parameters("\"c_w\": [" + one + "], \"d_w\": [" + eight + "]"));
  const TensorPolicy& tensor = plan.tensors.at("c_w");
  EXPECT_EQ(tensor.granularity, Granularity::kTensor);
  EXPECT_EQ(tensor.fixed_encoding->type, DType::kInt8);
  EXPECT_THAT(tensor.fixed_encoding->zero_point, ElementsAre(0));
  const TensorPolicy& channel = plan.tensors.at("d_w");
  EXPECT_EQ(channel.granularity, Granularity::kChannel);
  EXPECT_EQ(channel.axis, 0);
  EXPECT_EQ(channel.fixed_encoding->scale.size(), 8U);
}

TEST(PlanOverrides, AFloatWeightKeepsItsLayerFloat) {
  const QuantPlan plan =
      plan_of(chain(), with(R"({"param_encodings": {"d_w": {"dtype": "float16"}}})"));
  EXPECT_EQ(row(plan, "d").act_bits, 32);
  EXPECT_FALSE(plan.tensors.contains("d_w"));
}

TEST(PlanOverrides, ABiasMayHaveEightBitsOrStayFloat) {
  const QuantPlan byte =
      plan_of(chain(), with(R"({"param_encodings": {"d_b": {"dtype": "int8"}}})"));
  EXPECT_EQ(byte.tensors.at("d_b").type, DType::kInt8);
  EXPECT_FALSE(byte.biases.contains("d_b"));
  EXPECT_TRUE(byte.biases.contains("c_b"));
  const QuantPlan real =
      plan_of(chain(), with(R"({"param_encodings": {"d_b": {"dtype": "float32"}}})"));
  EXPECT_FALSE(real.biases.contains("d_b"));
  EXPECT_EQ(row(real, "d").act_bits, 8);
}

TEST(PlanOverrides, BlocksOfAnEncodingsFile) {
  GraphBuilder b;
  b.input("x", {1, 1, 32}).constant("w", {32, 2});
  b.node("MatMul", {"x", "w"}, {"y"}, {1, 1, 2}).output("y");
  // 1.0.0 lists channel by channel: two blocks of 16 inputs for each of the two outputs.
  PlanOptions options =
      with(R"({"version": "1.0.0", "activation_encodings": [], "param_encodings": [
    {"name": "w", "enc_type": "PER_BLOCK", "bw": 4, "dtype": "INT", "is_sym": true,
     "block_size": 16, "scale": [0.1, 0.2, 0.3, 0.4], "offset": [-8, -8, -8, -8]}]})");
  options.act_bits = 16;
  const TensorPolicy policy = plan_of(b, options).tensors.at("w");
  EXPECT_EQ(policy.granularity, Granularity::kGroup);
  EXPECT_EQ(policy.axis, 0);
  EXPECT_EQ(policy.block_size, 16);
  // ONNX: [blocks, outputs].
  EXPECT_THAT(policy.fixed_encoding->scale, ElementsAre(0.1F, 0.3F, 0.2F, 0.4F));
}

// ---- matching

TEST(PlanOverrides, PatternsMeanTheirOwnListAndFullNamesWin) {
  const QuantPlan plan = plan_of(chain(), with(R"({"param_encodings": {
    "*_w": {"dtype": "int4"}, "d_w": {"dtype": "int8"}}})"));
  EXPECT_EQ(plan.tensors.at("c_w").type, DType::kInt4);
  EXPECT_EQ(plan.tensors.at("d_w").type, DType::kInt8);
  EXPECT_EQ(plan.tensors.at("y_w").type, DType::kInt4);
  EXPECT_TRUE(has_finding(plan, "override-matched", "*_w: o.json matches 3 tensors: 'c_w'"));
  EXPECT_TRUE(has_finding(plan, "override-matched", "o.json: 1 tensors are named in full"));
}

TEST(PlanOverrides, ANameThatMatchesNothingIsAnErrorUnlessAllowed) {
  PlanOptions options = with_activations(R"("nothing": [{"bitwidth": 16, "dtype": "int"}])");
  EXPECT_THAT(error_of(chain(), options),
              HasSubstr("o.json: 1 of 1 names match no tensor of the model: 'nothing'"));
  auto allowed = std::make_shared<formats::Overrides>(*options.overrides);
  allowed->allow_unmatched = true;
  options.overrides = allowed;
  EXPECT_TRUE(has_finding(plan_of(chain(), options), "override-unmatched", "'nothing'"));
}

TEST(PlanOverrides, ANameThatThePreparationRemovedIsAFinding) {
  const GraphBuilder original = chain();
  GraphBuilder prepared;
  prepared.input("x", kImage);
  conv(prepared, "x", "y").output("y");
  PlanOptions options = with_activations(R"("d": [{"bitwidth": 16, "dtype": "int"}])");
  options.original = &original.graph();
  EXPECT_TRUE(has_finding(plan_of(prepared, options), "override-removed", "'d'"));
}

TEST(PlanOverrides, TheWrongListIsAppliedAndReported) {
  const QuantPlan plan = plan_of(chain(), with(R"({
    "activation_encodings": {"d_w": [{"bitwidth": 4, "dtype": "int"}]},
    "param_encodings": {"d": [{"bitwidth": 16, "dtype": "int"}]}})"));
  EXPECT_EQ(plan.tensors.at("d_w").type, DType::kInt4);
  EXPECT_EQ(plan.tensors.at("d").type, DType::kUInt16);
  EXPECT_TRUE(has_finding(plan, "override-section", "activations under param_encodings: 'd'"));
  EXPECT_TRUE(has_finding(plan, "override-section", "constants under activation_encodings: 'd_w'"));
}

TEST(PlanOverrides, WhatIsNotFollowedIsReported) {
  const QuantPlan inside =
      plan_of(chain(), with_activations(R"("c": [{"bitwidth": 16, "dtype": "int"}])"));
  EXPECT_TRUE(has_finding(inside, "override-without-effect", "'c'"));
  // 16-bit weights need 16-bit activations.
  const QuantPlan narrow =
      plan_of(chain(), with(R"({"param_encodings": {"d_w": {"dtype": "int16"}}})"));
  EXPECT_TRUE(has_finding(narrow, "override-changed", "d_w: asked 16 bits, got 8"));
}

TEST(PlanOverrides, RefusesWhatATensorCannotHave) {
  EXPECT_THAT(error_of(chain(), with(R"({"activation_encodings": {"d": {"dtype": "int4"}}})")),
              HasSubstr("override of 'd': 4 bits: expected 8, 16"));
  const std::string one =
      R"({"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "offset": -128, "scale": 0.5})";
  EXPECT_THAT(error_of(chain(), with_parameters("\"d_w\": [" + one + ", " + one + "]")),
              HasSubstr("override of 'd_w': 2 encodings: shape"));
  EXPECT_THAT(error_of(chain(), with_activations("\"d\": [" + one + ", " + one + "]")),
              HasSubstr("override of 'd': 2 encodings: expected one"));
  EXPECT_THAT(error_of(chain(),
                       with_activations(
                           R"("d": [{"bitwidth": 8, "dtype": "int", "scale": 1.0, "offset": 5}])")),
              HasSubstr("override of 'd': the range 5 ... 260 does not contain 0"));
}

// ---- supergroups

TEST(PlanOverrides, SupergroupsJoinAndKeepApart) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Sigmoid", {"c"}, {"s"}, kImage);
  conv(b, "s", "d").node("Relu", {"d"}, {"y"}, kImage).output("y");
  EXPECT_THAT(activations(plan_of(b, {})), ElementsAre("c", "s", "x", "y"));

  const QuantPlan joined =
      plan_of(b, with(R"({"supergroups": [{"op_list": ["Conv", "Sigmoid"], "fuse": true}]})"));
  EXPECT_THAT(activations(joined), ElementsAre("s", "x", "y"));
  EXPECT_TRUE(
      has_finding(joined, "supergroup-matched", "Conv, Sigmoid: supergroup of o.json: 1 pl"));
  EXPECT_TRUE(has_finding(joined, "supergroup-not-native", "Conv and Sigmoid"));

  const QuantPlan apart =
      plan_of(b, with(R"({"supergroups": [{"op_list": ["Conv", "Relu"], "fuse": false}]})"));
  EXPECT_THAT(activations(apart), ElementsAre("c", "d", "s", "x", "y"));

  const QuantPlan long_chain =
      plan_of(b, with(R"({"supergroups": [{"op_list": ["Conv", "Sigmoid", "Conv", "Relu"]}]})"));
  EXPECT_THAT(activations(long_chain), ElementsAre("x", "y"));
  EXPECT_TRUE(has_finding(plan_of(b, with(R"({"supergroups": [{"op_list": ["Add", "Relu"]}]})")),
                          "supergroup-unmatched", "Add, Relu"));
}

TEST(PlanOverrides, ASupergroupThatWasFoldedIsNoError) {
  GraphBuilder original;
  original.input("x", kImage);
  conv(original, "x", "c").node("BatchNormalization", {"c"}, {"y"}, kImage).output("y");
  PlanOptions options =
      with(R"({"supergroups": [{"op_list": ["Conv", "BatchNormalization"], "fuse": true}]})");
  options.original = &original.graph();
  EXPECT_TRUE(has_finding(plan_of(chain(), options), "supergroup-folded"));
}

TEST(WithType, KeepsTheRealValues) {
  Encoding encoding;
  encoding.type = DType::kUInt8;
  encoding.scale = {0.5F};
  encoding.zero_point = {100};
  const Encoding moved = with_type(encoding, DType::kInt8);
  EXPECT_THAT(moved.zero_point, ElementsAre(-28));
  EXPECT_EQ(moved.range_min(), encoding.range_min());
  EXPECT_EQ(moved.range_max(), encoding.range_max());
}

}  // namespace
}  // namespace hexquant::plan
