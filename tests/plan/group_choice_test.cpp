// Which layers get groups, of which size, and what the others are told.
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

PlanOptions groups(std::int64_t size, int weight_bits = 4) {
  PlanOptions options;
  options.weight_bits = weight_bits;
  options.act_bits = 16;
  options.granularity = Granularity::kGroup;
  options.group_size = size;
  return options;
}

QuantPlan matmul_plan(const Shape& weight, const PlanOptions& options) {
  GraphBuilder b;
  b.input("x", {1, 4, weight[0]}).constant("w", weight);
  b.node("MatMul", {"x", "w"}, {"y"}, {1, 4, weight[1]}).output("y");
  return make_plan(b.graph(), target::load_target("SM8650"), options);
}

TEST(GroupChoice, EverySizeOfTheCommandIsTaken) {
  for (const std::int64_t size : {16, 32, 64, 128}) {
    for (const int bits : {4, 8}) {
      const TensorPolicy policy = matmul_plan({256, 48}, groups(size, bits)).tensors.at("w");
      EXPECT_EQ(policy.granularity, Granularity::kGroup);
      EXPECT_EQ(policy.block_size, size);
      EXPECT_EQ(policy.type, bits == 4 ? DType::kInt4 : DType::kInt8);
      EXPECT_TRUE(policy.symmetric);
      EXPECT_EQ(policy.reason, "");
    }
  }
}

TEST(GroupChoice, EightBitActivationsTakeNoGroups) {
  PlanOptions options = groups(32, 8);
  options.act_bits = 8;
  const QuantPlan plan = matmul_plan({64, 48}, options);
  EXPECT_EQ(plan.tensors.at("w").granularity, Granularity::kChannel);
  ASSERT_EQ(plan.findings.size(), 1U);
  EXPECT_EQ(plan.findings[0].id, "no-groups");
  EXPECT_THAT(plan.findings[0].reason, HasSubstr("need 16-bit activations"));
}

// A model whose subgraphs keep its operator set low: nothing there could say a block size.
TEST(GroupChoice, OldOperatorSetsHaveNoBlocks) {
  GraphBuilder b;
  b.input("x", {1, 4, 64}).constant("w", {64, 48});
  b.node("MatMul", {"x", "w"}, {"y"}, {1, 4, 48}).output("y");
  graph::Graph graph = b.graph();
  graph.opsets[""] = 20;
  const QuantPlan plan = make_plan(graph, target::load_target("SM8650"), groups(32));
  EXPECT_EQ(plan.tensors.at("w").granularity, Granularity::kChannel);
  EXPECT_THAT(plan.tensors.at("w").reason, HasSubstr("the model stays at opset 20"));
}

TEST(GroupChoice, AHalfThatDividesTakesThePlace) {
  const TensorPolicy policy = matmul_plan({192, 48}, groups(128)).tensors.at("w");
  EXPECT_EQ(policy.block_size, 64);
  EXPECT_THAT(policy.reason, HasSubstr("asked blocks of 128, got 64"));
}

TEST(GroupChoice, AShorterLastBlockIsNotTaken) {
  const QuantPlan plan = matmul_plan({172, 64}, groups(32));
  const TensorPolicy& policy = plan.tensors.at("w");
  EXPECT_EQ(policy.granularity, Granularity::kChannel);
  EXPECT_EQ(policy.type, DType::kInt4);
  EXPECT_THAT(policy.reason, HasSubstr("not per group: 172 inputs are not whole blocks of 32"));
  ASSERT_EQ(plan.findings.size(), 2U);
  EXPECT_EQ(plan.findings[0].id, "no-groups");
  EXPECT_EQ(plan.findings[1].id, "four-bits-without-groups");
  EXPECT_THAT(plan.findings[1].reason, HasSubstr(": y"));
}

TEST(GroupChoice, FewerInputsThanABlockAreAChannel) {
  const TensorPolicy policy = matmul_plan({64, 48}, groups(128)).tensors.at("w");
  EXPECT_EQ(policy.granularity, Granularity::kChannel);
  EXPECT_EQ(matmul_plan({64, 48}, groups(64)).tensors.at("w").granularity, Granularity::kGroup);
}

TEST(GroupChoice, EightBitLayersOfAFourBitModelHaveGroupsToo) {
  // 32 outputs: too few to gain from 4 bits.
  const QuantPlan plan = matmul_plan({64, 32}, groups(32));
  EXPECT_EQ(plan.tensors.at("w").type, DType::kInt8);
  EXPECT_EQ(plan.tensors.at("w").granularity, Granularity::kGroup);
  EXPECT_THAT(plan.layers.at(0).reason, HasSubstr("asked int4, got int8"));
}

TEST(GroupChoice, GroupsAreWorthMoreThanZeroPoints) {
  PlanOptions options = groups(32, 8);
  options.weight_symmetric = false;
  const TensorPolicy policy = matmul_plan({64, 48}, options).tensors.at("w");
  EXPECT_EQ(policy.granularity, Granularity::kGroup);
  EXPECT_EQ(policy.type, DType::kInt8);
  EXPECT_TRUE(policy.symmetric);
  EXPECT_EQ(policy.reason, "symmetric: groups have no zero points on the HTP");
}

TEST(GroupChoice, TwoLevelScalesAreForFourBits) {
  PlanOptions options = groups(32);
  options.block_scale_bits = 4;
  EXPECT_EQ(matmul_plan({64, 48}, options).tensors.at("w").block_scale_bits, 4);
  options.weight_bits = 8;
  const TensorPolicy eight = matmul_plan({64, 48}, options).tensors.at("w");
  EXPECT_EQ(eight.granularity, Granularity::kGroup);
  EXPECT_EQ(eight.block_scale_bits, 0);
}

TEST(GroupChoice, BlocksLieOnTheSummedAxis) {
  GraphBuilder b;
  b.input("x", {4, 64}).constant("w", {48, 64}).constant("v", {48, 48, 1, 1});
  b.node("Gemm", {"x", "w"}, {"y"}, {4, 48}, {{"transB", std::int64_t{1}}}).output("y");
  b.input("image", {1, 48, 4, 4});
  b.node("Conv", {"image", "v"}, {"z"}, {1, 48, 4, 4}).output("z");
  const QuantPlan plan = make_plan(b.graph(), target::load_target("SM8650"), groups(16));
  EXPECT_EQ(plan.tensors.at("w").axis, 1);
  EXPECT_EQ(plan.tensors.at("w").granularity, Granularity::kGroup);
  EXPECT_EQ(plan.tensors.at("v").axis, 1);
  EXPECT_EQ(plan.tensors.at("v").granularity, Granularity::kGroup);
}

}  // namespace
}  // namespace hexquant::plan
