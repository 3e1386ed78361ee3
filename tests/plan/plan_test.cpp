#include "plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "support/graph_builder.h"
#include "target/target.h"

namespace hexquant::plan {
namespace {

using quant::EdgeKey;
using quant::QuantPlan;
using quant::Role;
using quant::TensorPolicy;
using test::GraphBuilder;
using ::testing::IsEmpty;

QuantPlan plan_of(const GraphBuilder& builder, const PlanOptions& options = {},
                  const std::string& soc = "SM8650") {
  return make_plan(builder.graph(), target::load_target(soc), options);
}

PlanOptions sixteen_bits() {
  PlanOptions options;
  options.act_bits = 16;
  return options;
}

std::set<std::string> activations(const QuantPlan& plan) {
  std::set<std::string> names;
  for (const auto& [name, policy] : plan.tensors) {
    if (policy.role == Role::kActivation) names.insert(name);
  }
  return names;
}

std::string group_of(const QuantPlan& plan, const std::string& value) {
  const TensorPolicy& policy = plan.tensors.at(value);
  return policy.shares_encoding_of.empty() ? value : policy.shares_encoding_of;
}

const quant::LayerDecision& row(const QuantPlan& plan, const std::string& node) {
  const auto found = std::find_if(plan.layers.begin(), plan.layers.end(),
                                  [&](const auto& layer) { return layer.node == node; });
  EXPECT_NE(found, plan.layers.end()) << node;
  return *found;
}

GraphBuilder& conv(GraphBuilder& builder, const std::string& x, const std::string& y,
                   std::int64_t inputs = 8, std::int64_t outputs = 8, std::int64_t kernel = 3) {
  builder.constant(y + "_w", {outputs, inputs, kernel, kernel}).constant(y + "_b", {outputs});
  return builder.node("Conv", {x, y + "_w", y + "_b"}, {y}, {1, outputs, 8, 8});
}

const Shape kImage = {1, 8, 8, 8};

// ---- supergroups

TEST(Plan, NothingIsQuantizedBetweenConvAndRelu) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Relu", {"c"}, {"y"}, kImage).output("y");
  const QuantPlan plan = plan_of(b);
  EXPECT_EQ(activations(plan), (std::set<std::string>{"x", "y"}));
  EXPECT_EQ(plan.biases.at("c_b").activation, "x");
  EXPECT_EQ(plan.biases.at("c_b").weight, "c_w");
  ASSERT_EQ(plan.layers.size(), 1U);
  EXPECT_EQ(plan.layers[0].output, "y");
  EXPECT_THAT(plan.findings, IsEmpty());
}

TEST(Plan, ConvWithTwoReadersKeepsItsOwnEncoding) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Relu", {"c"}, {"r"}, kImage).node("Add", {"c", "r"}, {"y"}, kImage);
  b.output("y");
  EXPECT_EQ(activations(plan_of(b)), (std::set<std::string>{"x", "c", "r", "y"}));
}

TEST(Plan, ConvThatIsAnOutputKeepsItsOwnEncoding) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Relu", {"c"}, {"y"}, kImage).output("y").output("c");
  EXPECT_EQ(activations(plan_of(b)), (std::set<std::string>{"x", "c", "y"}));
}

TEST(Plan, OnlyClipFromZeroVanishes) {
  const auto clip = [](float low, float high) {
    GraphBuilder b;
    b.input("x", kImage).scalar("low", low).scalar("high", high);
    conv(b, "x", "c").node("Clip", {"c", "low", "high"}, {"y"}, kImage).output("y");
    return activations(plan_of(b)).contains("c");
  };
  EXPECT_FALSE(clip(0.0F, 6.0F));
  EXPECT_TRUE(clip(-1.0F, 1.0F));
}

TEST(Plan, LeakyReluHardSwishAndSigmoidReadAnEncodedConv) {
  for (const char* op : {"LeakyRelu", "HardSwish", "Sigmoid"}) {
    GraphBuilder b;
    b.input("x", kImage);
    conv(b, "x", "c").node(op, {"c"}, {"y"}, kImage).output("y");
    EXPECT_TRUE(activations(plan_of(b)).contains("c")) << op;
  }
}

TEST(Plan, ResidualAddAndReluAreOne) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Add", {"c", "x"}, {"s"}, kImage).node("Relu", {"s"}, {"y"}, kImage);
  b.output("y");
  EXPECT_EQ(activations(plan_of(b)), (std::set<std::string>{"x", "c", "y"}));
}

TEST(Plan, MatMulWithConstantBiasIsOneLayer) {
  for (const bool bias_first : {false, true}) {
    GraphBuilder b;
    b.input("x", {1, 4, 16}).constant("w", {16, 8}).constant("b", {8});
    b.node("MatMul", {"x", "w"}, {"m"}, {1, 4, 8});
    if (bias_first) {
      b.node("Add", {"b", "m"}, {"a"}, {1, 4, 8});
    } else {
      b.node("Add", {"m", "b"}, {"a"}, {1, 4, 8});
    }
    b.node("Relu", {"a"}, {"y"}, {1, 4, 8}).output("y");
    const QuantPlan plan = plan_of(b);
    EXPECT_EQ(activations(plan), (std::set<std::string>{"x", "y"}));
    EXPECT_EQ(plan.biases.at("b").weight, "w");
    EXPECT_EQ(plan.tensors.at("w").axis, 1);
  }
}

TEST(Plan, ConstantOfAnotherShapeIsNoBias) {
  GraphBuilder b;
  b.input("x", {1, 4, 16}).constant("w", {16, 8}).constant("k", {4, 8});
  b.node("MatMul", {"x", "w"}, {"m"}, {1, 4, 8}).node("Add", {"m", "k"}, {"y"}, {1, 4, 8});
  b.output("y");
  const QuantPlan plan = plan_of(b);
  EXPECT_EQ(activations(plan), (std::set<std::string>{"x", "m", "k", "y"}));
  EXPECT_THAT(plan.biases, IsEmpty());
}

// ---- shared encodings

TEST(Plan, MoversShareTheEncodingOfTheirInput) {
  GraphBuilder b;
  b.input("x", kImage).int64s("shape", {1, 512});
  conv(b, "x", "c").node("MaxPool", {"c"}, {"p"}, kImage);
  b.node("Reshape", {"p", "shape"}, {"y"}, {1, 512}).output("y");
  const QuantPlan plan = plan_of(b);
  for (const char* value : {"c", "p", "y"}) EXPECT_EQ(group_of(plan, value), "c");
  EXPECT_EQ(group_of(plan, "x"), "x");
}

TEST(Plan, ConcatGivesItsEncodingToItsInputs) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c");
  conv(b, "x", "d").node("Concat", {"c", "d"}, {"y"}, {1, 16, 8, 8}, {{"axis", std::int64_t{1}}});
  b.output("y");
  const QuantPlan plan = plan_of(b);
  for (const char* value : {"c", "d", "y"}) EXPECT_EQ(group_of(plan, value), "y");
}

TEST(Plan, ConcatDoesNotCoverHalfOfASplit) {
  // b goes elsewhere, so y does not hold every element of x: x keeps its encoding.
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c").node("Split", {"c"}, {"a", "s"}, {1, 4, 8, 8}, {{"axis", std::int64_t{1}}});
  conv(b, "s", "d", 4, 4);
  b.node("Concat", {"a", "d"}, {"y"}, kImage, {{"axis", std::int64_t{1}}}).output("y");
  const QuantPlan plan = plan_of(b);
  for (const char* value : {"c", "a", "s"}) EXPECT_EQ(group_of(plan, value), "c");
  for (const char* value : {"d", "y"}) EXPECT_EQ(group_of(plan, value), "y");
}

TEST(Plan, FusedReluJoinsAConcatOnlyWithoutNegativeValues) {
  const auto group = [](bool other_relu) {
    GraphBuilder b;
    b.input("x", kImage);
    conv(b, "x", "c").node("Relu", {"c"}, {"r"}, kImage);
    conv(b, "x", "d");
    std::string other = "d";
    if (other_relu) b.node("Relu", {"d"}, {other = "q"}, kImage);
    b.node("Concat", {"r", other}, {"y"}, {1, 16, 8, 8}, {{"axis", std::int64_t{1}}}).output("y");
    return group_of(plan_of(b), "r");
  };
  EXPECT_EQ(group(true), "y");
  EXPECT_EQ(group(false), "r") << "a zero point above 0 would bring the Relu back";
}

TEST(Plan, PadWithAnotherValueIsNoMover) {
  const auto group = [](float value) {
    GraphBuilder b;
    b.input("x", kImage).int64s("pads", {0, 0, 1, 1, 0, 0, 1, 1}).scalar("v", value);
    conv(b, "x", "c").node("Pad", {"c", "pads", "v"}, {"y"}, {1, 8, 10, 10}).output("y");
    return group_of(plan_of(b), "y");
  };
  EXPECT_EQ(group(0.0F), "c");
  EXPECT_EQ(group(1.0F), "y");
}

TEST(Plan, EmbeddingTableSharesTheRowsEncoding) {
  GraphBuilder b;
  b.input("ids", {1, 4}, DType::kInt64).constant("table", {50, 16}).constant("w", {16, 8});
  b.node("Gather", {"table", "ids"}, {"rows"}, {1, 4, 16});
  b.node("MatMul", {"rows", "w"}, {"y"}, {1, 4, 8}).output("y");
  const QuantPlan plan = plan_of(b, sixteen_bits());
  EXPECT_EQ(plan.tensors.at("table").role, Role::kActivation);
  EXPECT_EQ(plan.tensors.at("table").type, DType::kUInt16);
  EXPECT_EQ(group_of(plan, "rows"), "table");
  EXPECT_EQ(row(plan, "rows").weight_bits, 16);
  EXPECT_FALSE(plan.tensors.contains("ids"));
}

// ---- fixed ranges, constants

TEST(Plan, SoftmaxSigmoidAndTanhHaveFixedGrids) {
  const auto range = [](const char* op, int bits) {
    GraphBuilder b;
    b.input("x", {1, 4}).node(op, {"x"}, {"y"}, {1, 4}).output("y");
    PlanOptions options;
    options.act_bits = bits;
    const QuantPlan plan = plan_of(b, options);
    const TensorPolicy& policy = plan.tensors.at("y");
    return encoding_from_range(*policy.fixed_range, policy.type, policy.symmetric);
  };
  EXPECT_EQ(range("Softmax", 8).scale[0], 1.0F / 256);
  EXPECT_EQ(range("Softmax", 8).zero_point[0], 0);
  EXPECT_EQ(range("Sigmoid", 16).scale[0], 1.0F / 65536);
  EXPECT_EQ(range("Sigmoid", 16).zero_point[0], 0);
  EXPECT_EQ(range("Tanh", 8).scale[0], 1.0F / 128);
  EXPECT_EQ(range("Tanh", 8).zero_point[0], 128);
  EXPECT_EQ(range("Tanh", 16).scale[0], 1.0F / 32768);
  EXPECT_EQ(range("Tanh", 16).zero_point[0], 32768);
}

TEST(Plan, ConstantsOfElementwiseOperationsCarryTheActivationType) {
  GraphBuilder b;
  b.input("x", {1, 4}).scalar("k", 0.5F).node("Mul", {"x", "k"}, {"y"}, {1, 4}).output("y");
  const QuantPlan plan = plan_of(b);
  EXPECT_EQ(plan.tensors.at("k").role, Role::kActivation);
  EXPECT_EQ(plan.tensors.at("k").type, DType::kUInt8);
}

TEST(Plan, LimitsOfClipAndShapesStayAsTheyAre) {
  GraphBuilder b;
  b.input("x", {1, 4}).scalar("low", -1.0F).scalar("high", 1.0F).int64s("shape", {4});
  b.node("Clip", {"x", "low", "high"}, {"c"}, {1, 4});
  b.node("Reshape", {"c", "shape"}, {"y"}, {4}).output("y");
  EXPECT_EQ(activations(plan_of(b)), (std::set<std::string>{"x", "c", "y"}));
}

// ---- attention

GraphBuilder attention() {
  GraphBuilder b;
  b.input("q", {1, 4, 16}).input("k", {1, 4, 16});
  b.constant("wk", {16, 16}).constant("bk", {16});
  b.node("MatMul", {"k", "wk"}, {"m"}, {1, 4, 16}).node("Add", {"m", "bk"}, {"kp"}, {1, 4, 16});
  b.node("Transpose", {"kp"}, {"kt"}, {1, 16, 4});
  b.node("MatMul", {"q", "kt"}, {"s"}, {1, 4, 4}).node("Softmax", {"s"}, {"y"}, {1, 4, 4});
  b.output("y");
  return b;
}

TEST(Plan, AttentionAtEightBitsNeedsNoEdge) {
  EXPECT_THAT(plan_of(attention()).edges, IsEmpty());
}

TEST(Plan, SixteenBitSecondOperandIsInt16SymmetricFromV73) {
  for (const char* soc : {"SM8550", "SM8650", "SM8750", "SM8850"}) {
    const QuantPlan plan = plan_of(attention(), sixteen_bits(), soc);
    ASSERT_EQ(plan.edges.size(), 1U) << soc;
    const TensorPolicy& edge = plan.edges.at(EdgeKey{"s", 1});
    EXPECT_EQ(edge.type, DType::kInt16);
    EXPECT_TRUE(edge.symmetric);
    EXPECT_EQ(edge.shares_encoding_of, "kp");
    // What computes the operand needs one type at both ends, so its own type stays.
    EXPECT_EQ(plan.tensors.at("kt").type, DType::kUInt16);
    EXPECT_THAT(plan.findings, IsEmpty());
  }
}

TEST(Plan, SixteenBitSecondOperandIsInt8BeforeV73) {
  for (const char* soc : {"SM8350", "SM8450"}) {
    const TensorPolicy edge = plan_of(attention(), sixteen_bits(), soc).edges.at(EdgeKey{"s", 1});
    EXPECT_EQ(edge.type, DType::kInt8);
    EXPECT_TRUE(edge.symmetric);
  }
}

TEST(Plan, InputReadOnlyAsSecondOperandTakesItsType) {
  GraphBuilder b;
  b.input("q", {1, 4, 16}).input("cache", {1, 16, 4});
  b.node("MatMul", {"q", "cache"}, {"y"}, {1, 4, 4}).output("y");
  const QuantPlan plan = plan_of(b, sixteen_bits());
  EXPECT_EQ(plan.tensors.at("cache").type, DType::kInt16);
  EXPECT_TRUE(plan.tensors.at("cache").symmetric);
  EXPECT_THAT(plan.edges, IsEmpty());
}

// ---- mixed widths

TEST(Plan, BordersOfSixteenBitLayersAreEdges) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c");
  conv(b, "c", "d");
  conv(b, "d", "y").output("y");
  PlanOptions options;
  options.layer_bits = {{"d", 0, 16}};
  const QuantPlan plan = plan_of(b, options);
  EXPECT_EQ(plan.tensors.at("c").type, DType::kUInt8);
  EXPECT_EQ(plan.tensors.at("d").type, DType::kUInt16);
  EXPECT_EQ(plan.tensors.at("y").type, DType::kUInt8);
  EXPECT_EQ(plan.edges.at(EdgeKey{"d", 0}).type, DType::kUInt16);
  EXPECT_EQ(plan.edges.at(EdgeKey{"y", 0}).type, DType::kUInt8);
  EXPECT_EQ(plan.edges.size(), 2U);
  EXPECT_EQ(plan.biases.at("d_b").activation_edge, (EdgeKey{"d", 0}));
  EXPECT_EQ(plan.biases.at("c_b").activation_edge, std::nullopt);
  EXPECT_EQ(row(plan, "d").act_bits, 16);
  EXPECT_THAT(plan.findings, IsEmpty());
}

TEST(Plan, ConcatJoinsOneWidthOnly) {
  GraphBuilder b;
  b.input("x", kImage);
  conv(b, "x", "c");
  conv(b, "x", "d").node("Concat", {"c", "d"}, {"y"}, {1, 16, 8, 8}, {{"axis", std::int64_t{1}}});
  b.output("y");
  PlanOptions options;
  options.layer_bits = {{"d", 0, 16}};
  const QuantPlan plan = plan_of(b, options);
  EXPECT_EQ(group_of(plan, "c"), "y");
  EXPECT_EQ(group_of(plan, "d"), "d");
  EXPECT_EQ(plan.tensors.at("y").type, DType::kUInt8);
  EXPECT_EQ(plan.edges.at(EdgeKey{"y", 1}).type, DType::kUInt8);
  EXPECT_THAT(plan.findings, IsEmpty());
}

// ---- normalizations

TEST(Plan, LayerNormHasUint8ScaleAndInt32Bias) {
  for (const int bits : {8, 16}) {
    GraphBuilder b;
    b.input("x", {1, 4, 16}).constant("g", {16}).constant("b", {16});
    b.node("LayerNormalization", {"x", "g", "b"}, {"y"}, {1, 4, 16}).output("y");
    PlanOptions options;
    options.act_bits = bits;
    const QuantPlan plan = plan_of(b, options);
    EXPECT_EQ(plan.tensors.at("g").role, Role::kWeight);
    EXPECT_EQ(plan.tensors.at("g").type, DType::kUInt8);
    EXPECT_EQ(plan.tensors.at("g").granularity, Granularity::kTensor);
    EXPECT_EQ(plan.biases.at("b").weight, "g");
    EXPECT_EQ(plan.biases.at("b").activation, "x");
    EXPECT_THAT(plan.findings, IsEmpty());
  }
}

TEST(Plan, RmsNormScaleFollowsTheWidth) {
  GraphBuilder b;
  b.input("x", {1, 4, 16}).constant("g", {16});
  b.node("SimplifiedLayerNormalization", {"x", "g"}, {"y"}, {1, 4, 16}).output("y");
  EXPECT_EQ(plan_of(b).tensors.at("g").type, DType::kUInt8);
  EXPECT_EQ(plan_of(b, sixteen_bits()).tensors.at("g").type, DType::kUInt16);
}

}  // namespace
}  // namespace hexquant::plan
