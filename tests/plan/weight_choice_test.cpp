#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "plan/plan.h"
#include "support/graph_builder.h"
#include "target/target.h"

namespace hexquant::plan {
namespace {

using quant::QuantPlan;
using quant::TensorPolicy;
using test::GraphBuilder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Plan of one layer y with weights w and, unless `no_bias`, a bias b.
QuantPlan layer_plan(const std::string& op, const Shape& weight, const PlanOptions& options,
                     const graph::Attributes& attributes = {}, bool no_bias = false,
                     const std::string& soc = "SM8650") {
  GraphBuilder b;
  const bool is_conv = op != "Gemm" && op != "MatMul";
  const Shape shape = is_conv ? Shape{1, 8, 8, 8} : Shape{4, 64};
  b.input("x", shape).constant("w", weight);
  std::vector<std::string> inputs = {"x", "w"};
  if (!no_bias && op != "MatMul") {
    const std::int64_t group = op == "ConvTranspose" && attributes.contains("group") ? 2 : 1;
    const std::size_t axis = op == "Conv" ? 0 : 1;
    b.constant("b", {weight[axis] * group});
    inputs.push_back("b");
  }
  b.node(op, inputs, {"y"}, shape, attributes).output("y");
  return make_plan(b.graph(), target::load_target(soc), options);
}

PlanOptions bits(int weight, int act = 8) {
  PlanOptions options;
  options.weight_bits = weight;
  options.act_bits = act;
  return options;
}

TEST(WeightChoice, DefaultIsInt8SymmetricPerChannel) {
  const TensorPolicy policy = layer_plan("Conv", {16, 8, 3, 3}, {}).tensors.at("w");
  EXPECT_EQ(policy.type, DType::kInt8);
  EXPECT_TRUE(policy.symmetric);
  EXPECT_FALSE(policy.strict);
  EXPECT_EQ(policy.granularity, Granularity::kChannel);
  EXPECT_EQ(policy.axis, 0);
  EXPECT_EQ(policy.reason, "");
}

TEST(WeightChoice, AxisFollowsTheOperation) {
  EXPECT_EQ(layer_plan("ConvTranspose", {8, 16, 2, 2}, {}).tensors.at("w").axis, 1);
  EXPECT_EQ(layer_plan("Gemm", {64, 48}, {}).tensors.at("w").axis, 1);
  EXPECT_EQ(
      layer_plan("Gemm", {48, 64}, {}, {{"transB", std::int64_t{1}}}, true).tensors.at("w").axis,
      0);
  EXPECT_EQ(layer_plan("MatMul", {64, 48}, {}).tensors.at("w").axis, 1);
}

TEST(WeightChoice, GroupedTransposedConvolutionIsPerTensor) {
  const QuantPlan plan =
      layer_plan("ConvTranspose", {8, 8, 2, 2}, {}, {{"group", std::int64_t{2}}});
  EXPECT_EQ(plan.tensors.at("w").granularity, Granularity::kTensor);
  EXPECT_THAT(plan.tensors.at("w").reason, HasSubstr("per tensor"));
  EXPECT_TRUE(plan.biases.contains("b"));
}

TEST(WeightChoice, FourBitsOnlyWhereTheHtpGains) {
  const auto decision = [](const std::string& op, const Shape& weight,
                           const graph::Attributes& attributes = {}) {
    const QuantPlan plan = layer_plan(op, weight, bits(4), attributes, true);
    EXPECT_EQ(plan.layers.at(0).requested_weight_bits, 4);
    EXPECT_EQ(plan.layers.at(0).weight_bits, dtype_bits(plan.tensors.at("w").type));
    return plan.layers.at(0);
  };
  EXPECT_EQ(decision("Conv", {64, 8, 1, 1}).weight_bits, 4);
  EXPECT_EQ(decision("MatMul", {64, 33}).weight_bits, 4);
  EXPECT_EQ(decision("Gemm", {64, 48}).weight_bits, 4);
  EXPECT_THAT(decision("Conv", {64, 8, 3, 3}).reason,
              HasSubstr("asked int4, got int8: a 3x3 convolution gains nothing from 4 bits"));
  EXPECT_THAT(decision("Conv", {32, 8, 1, 1}).reason, HasSubstr("32 outputs"));
  EXPECT_EQ(decision("MatMul", {64, 32}).weight_bits, 8);
  EXPECT_THAT(
      decision("Conv", {64, 8, 1, 1}, {{"strides", std::vector<std::int64_t>{2, 2}}}).reason,
      HasSubstr("strides"));
  EXPECT_THAT(decision("Conv", {64, 4, 1, 1}, {{"group", std::int64_t{2}}}).reason,
              HasSubstr("grouped"));
}

TEST(WeightChoice, FourBitsEverywhereOrForALayerAreForced) {
  PlanOptions everywhere = bits(4);
  everywhere.weight_bits_everywhere = true;
  EXPECT_EQ(layer_plan("Conv", {16, 8, 3, 3}, everywhere).tensors.at("w").type, DType::kInt4);
  PlanOptions one;
  one.layer_bits = {{"op:Conv", 4, 0}};
  EXPECT_EQ(layer_plan("Conv", {16, 8, 3, 3}, one).tensors.at("w").type, DType::kInt4);
}

TEST(WeightChoice, FourBitsNeedAScaleForEachChannel) {
  PlanOptions options = bits(4);
  options.granularity = Granularity::kTensor;
  options.weight_bits_everywhere = true;
  const QuantPlan channel = layer_plan("Conv", {64, 8, 1, 1}, options);
  EXPECT_EQ(channel.tensors.at("w").granularity, Granularity::kChannel);
  EXPECT_THAT(channel.layers.at(0).reason, HasSubstr("int4 weights per tensor are not accepted"));
  // Where there is no channel axis, 8 bits are left.
  const QuantPlan tensor =
      layer_plan("ConvTranspose", {8, 8, 2, 2}, options, {{"group", std::int64_t{2}}});
  EXPECT_EQ(tensor.tensors.at("w").type, DType::kInt8);
  EXPECT_EQ(tensor.tensors.at("w").granularity, Granularity::kTensor);
}

TEST(WeightChoice, SixteenBitsNeedSixteenBitActivationsAndV73) {
  EXPECT_THAT(layer_plan("Conv", {16, 8, 3, 3}, bits(16)).layers.at(0).reason,
              HasSubstr("asked int16, got int8: 16-bit weights need 16-bit activations"));
  EXPECT_THAT(
      layer_plan("Conv", {16, 8, 3, 3}, bits(16, 16), {}, false, "SM8450").layers.at(0).reason,
      HasSubstr("no 16-bit weights"));
  const QuantPlan plan = layer_plan("Conv", {16, 8, 3, 3}, bits(16, 16));
  const TensorPolicy& policy = plan.tensors.at("w");
  EXPECT_EQ(policy.type, DType::kInt16);
  EXPECT_TRUE(policy.symmetric);
  EXPECT_FLOAT_EQ(policy.range_factor, 32767.0F / 32639.0F);
  EXPECT_THAT(plan.findings, IsEmpty());
}

TEST(WeightChoice, AsymmetricWeightsHaveEightBitsOnly) {
  PlanOptions options;
  options.weight_symmetric = false;
  options.granularity = Granularity::kTensor;
  EXPECT_EQ(layer_plan("Conv", {16, 8, 3, 3}, options).tensors.at("w").type, DType::kUInt8);
  options.weight_bits = 4;
  const TensorPolicy policy = layer_plan("Conv", {64, 8, 1, 1}, options).tensors.at("w");
  EXPECT_TRUE(policy.symmetric);
  EXPECT_THAT(policy.reason, HasSubstr("4-bit weights are symmetric"));
}

TEST(WeightChoice, ChannelsAreWorthMoreThanAZeroPoint) {
  PlanOptions options;
  options.weight_symmetric = false;
  const TensorPolicy policy = layer_plan("Conv", {16, 8, 3, 3}, options).tensors.at("w");
  EXPECT_EQ(policy.type, DType::kInt8);
  EXPECT_EQ(policy.granularity, Granularity::kChannel);
  EXPECT_THAT(policy.reason, HasSubstr("asymmetric weights take one scale"));
}

TEST(WeightChoice, StrictDropsTheLowestCode) {
  PlanOptions options;
  options.weight_strict = true;
  EXPECT_TRUE(layer_plan("Conv", {16, 8, 3, 3}, options).tensors.at("w").strict);
}

TEST(WeightChoice, GroupsWhereBlocksAreAccepted) {
  PlanOptions options = bits(4, 16);
  options.granularity = Granularity::kGroup;
  options.group_size = 32;
  const QuantPlan plan = layer_plan("MatMul", {64, 48}, options);
  const TensorPolicy& policy = plan.tensors.at("w");
  EXPECT_EQ(policy.granularity, Granularity::kGroup);
  EXPECT_EQ(policy.axis, 0);
  EXPECT_EQ(policy.block_size, 32);
  ASSERT_EQ(plan.findings.size(), 1U);
  EXPECT_EQ(plan.findings[0].id, "block-weights");

  const QuantPlan conv = layer_plan("Conv", {64, 8, 3, 3}, options);
  EXPECT_EQ(conv.tensors.at("w").granularity, Granularity::kChannel);
  EXPECT_THAT(conv.layers.at(0).reason, HasSubstr("not per group: blocks are accepted for 1x1"));
  options.act_bits = 8;
  EXPECT_THAT(layer_plan("MatMul", {64, 48}, options).layers.at(0).reason,
              HasSubstr("need 16-bit activations"));
}

TEST(WeightChoice, BlocksAndBiasDoNotGoTogether) {
  PlanOptions options = bits(8, 16);
  options.granularity = Granularity::kGroup;
  options.group_size = 16;
  const QuantPlan plan = layer_plan("Gemm", {64, 48}, options);
  EXPECT_EQ(plan.tensors.at("w").granularity, Granularity::kChannel);
  EXPECT_THAT(plan.layers.at(0).reason, HasSubstr("bias"));
  EXPECT_EQ(layer_plan("Gemm", {64, 48}, options, {}, true).tensors.at("w").granularity,
            Granularity::kGroup);
}

TEST(WeightChoice, BlockQuantizedMatMulIsNotFusedWithItsBias) {
  GraphBuilder b;
  b.input("x", {4, 64}).constant("w", {64, 48}).constant("b", {48});
  b.node("MatMul", {"x", "w"}, {"m"}, {4, 48}).node("Add", {"m", "b"}, {"y"}, {4, 48}).output("y");
  PlanOptions options = bits(4, 16);
  options.granularity = Granularity::kGroup;
  options.group_size = 32;
  const QuantPlan plan = make_plan(b.graph(), target::load_target("SM8650"), options);
  EXPECT_EQ(plan.tensors.at("w").granularity, Granularity::kGroup);
  EXPECT_EQ(plan.tensors.at("m").type, DType::kUInt16);
  EXPECT_EQ(plan.tensors.at("b").role, quant::Role::kActivation);
  EXPECT_THAT(plan.biases, IsEmpty());
}

TEST(WeightChoice, EightBitBiasIsDoneAndReported) {
  PlanOptions options;
  options.bias_bits = 8;
  const QuantPlan plan = layer_plan("Conv", {16, 8, 3, 3}, options);
  EXPECT_EQ(plan.tensors.at("b").type, DType::kInt8);
  EXPECT_THAT(plan.biases, IsEmpty());
  ASSERT_EQ(plan.findings.size(), 1U);
  EXPECT_EQ(plan.findings[0].id, "htp-illegal");
  EXPECT_THAT(plan.findings[0].reason, HasSubstr("bias of type int8"));
}

}  // namespace
}  // namespace hexquant::plan
