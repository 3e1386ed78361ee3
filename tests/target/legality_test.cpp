#include "target/legality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "support/graph_builder.h"
#include "target/target.h"

namespace hexquant::target {
namespace {

using test::GraphBuilder;
using ::testing::HasSubstr;

constexpr TensorFormat kU8 = {DType::kUInt8};
constexpr TensorFormat kU16 = {DType::kUInt16};
constexpr TensorFormat kS16 = {DType::kInt16, true};
constexpr TensorFormat kS8 = {DType::kInt8, true};
constexpr TensorFormat kS32 = {DType::kInt32, true};

TensorFormat channel(DType type, int axis) {
  return {type, true, Granularity::kChannel, axis};
}

TensorFormat blocks(DType type, int axis, std::int64_t size) {
  return {type, true, Granularity::kGroup, axis, size};
}

/// Reason of the last node of the graph, "" when legal.
std::string reason(const GraphBuilder& builder, const NodeFormats& formats,
                   const std::string& soc = "SM8650") {
  const Rules rules = load_target(soc).rules;
  return legality(rules, builder.graph(), builder.graph().nodes().back(), formats).value_or("");
}

GraphBuilder conv_graph(const Shape& weight, const graph::Attributes& attributes = {}) {
  GraphBuilder builder;
  builder.input("x", {1, 32, 8, 8}).constant("w", weight).constant("b", {weight[0]});
  builder.node("Conv", {"x", "w", "b"}, {"y"}, {1, weight[0], 8, 8}, attributes);
  return builder;
}

GraphBuilder matmul_graph(bool constant) {
  GraphBuilder builder;
  builder.input("a", {1, 4, 64});
  if (constant) {
    builder.constant("b", {64, 48});
  } else {
    builder.input("b", {1, 64, 48});
  }
  builder.node("MatMul", {"a", "b"}, {"y"}, {1, 4, 48});
  return builder;
}

TEST(Legality, ConvTakesPerChannelWeightsOnAxis0Only) {
  const GraphBuilder conv = conv_graph({16, 32, 3, 3});
  EXPECT_EQ(reason(conv, {{{0, kU8}, {1, channel(DType::kInt8, 0)}, {2, kS32}}, kU8}), "");
  EXPECT_THAT(reason(conv, {{{0, kU8}, {1, channel(DType::kInt8, 1)}}, kU8}),
              HasSubstr("only axis 0"));
}

TEST(Legality, EightBitActivationsTakeNoSixteenBitWeights) {
  const GraphBuilder conv = conv_graph({16, 32, 3, 3});
  EXPECT_THAT(reason(conv, {{{0, kU8}, {1, channel(DType::kInt16, 0)}}, kU8}),
              HasSubstr("16-bit weights"));
  EXPECT_EQ(reason(conv, {{{0, kU16}, {1, channel(DType::kInt16, 0)}}, kU16}), "");
  EXPECT_THAT(reason(conv, {{{0, kU16}, {1, channel(DType::kInt16, 0)}}, kU16}, "SM8450"),
              HasSubstr("int16 weights"));
}

TEST(Legality, FourBitWeightsNeedChannelsAndInt4) {
  const GraphBuilder conv = conv_graph({16, 32, 3, 3});
  EXPECT_EQ(reason(conv, {{{0, kU8}, {1, channel(DType::kInt4, 0)}}, kU8}), "");
  EXPECT_THAT(reason(conv, {{{0, kU8}, {1, {DType::kInt4, true}}}, kU8}), HasSubstr("per tensor"));
  EXPECT_THAT(reason(conv, {{{0, kU8}, {1, channel(DType::kUInt4, 0)}}, kU8}), HasSubstr("uint4"));
  EXPECT_THAT(reason(conv, {{{0, kU16}, {1, channel(DType::kUInt16, 0)}}, kU16}),
              HasSubstr("uint16 weights per channel"));
}

TEST(Legality, InputAndOutputHaveOneType) {
  const GraphBuilder conv = conv_graph({16, 32, 3, 3});
  EXPECT_THAT(reason(conv, {{{0, kU8}, {1, kS8}}, kU16}), HasSubstr("different types"));
}

TEST(Legality, EightBitBiasIsNotAccepted) {
  const GraphBuilder conv = conv_graph({16, 32, 3, 3});
  EXPECT_THAT(reason(conv, {{{0, kU8}, {1, kS8}, {2, kS8}}, kU8}), HasSubstr("bias of type int8"));
  EXPECT_EQ(reason(conv, {{{0, kU8}, {1, kS8}}, kU8}), "") << "a float bias is";
}

TEST(Legality, MatMulWeightsPerChannelOnColumnsOnly) {
  const GraphBuilder matmul = matmul_graph(true);
  EXPECT_EQ(reason(matmul, {{{0, kU8}, {1, channel(DType::kInt8, 1)}}, kU8}), "");
  EXPECT_THAT(reason(matmul, {{{0, kU8}, {1, channel(DType::kInt8, 0)}}, kU8}),
              HasSubstr("axis 0: only axis 1 is computed right"));
}

TEST(Legality, ComputedSecondOperandDependsOnTheVersion) {
  const GraphBuilder matmul = matmul_graph(false);
  EXPECT_EQ(reason(matmul, {{{0, kU8}, {1, kU8}}, kU8}), "");
  EXPECT_EQ(reason(matmul, {{{0, kU16}, {1, kS16}}, kU16}), "");
  EXPECT_THAT(reason(matmul, {{{0, kU16}, {1, kU16}}, kU16}), HasSubstr("second operand"));
  EXPECT_THAT(reason(matmul, {{{0, kU16}, {1, kS16}}, kU16}, "SM8450"),
              HasSubstr("second operand of type int16"));
  EXPECT_EQ(reason(matmul, {{{0, kU16}, {1, kS8}}, kU16}, "SM8450"), "");
}

TEST(Legality, BlocksNeedSixteenBitActivationsAndAFittingSize) {
  const GraphBuilder matmul = matmul_graph(true);
  EXPECT_EQ(reason(matmul, {{{0, kU16}, {1, blocks(DType::kInt4, 0, 32)}}, kU16}), "");
  EXPECT_THAT(reason(matmul, {{{0, kU8}, {1, blocks(DType::kInt4, 0, 32)}}, kU8}),
              HasSubstr("16-bit activations"));
  EXPECT_THAT(reason(matmul, {{{0, kU16}, {1, blocks(DType::kInt4, 0, 48)}}, kU16}),
              HasSubstr("blocks of 48"));
  EXPECT_THAT(reason(matmul, {{{0, kU16}, {1, blocks(DType::kInt4, 0, 8)}}, kU16}),
              HasSubstr("blocks of 8"));
  EXPECT_THAT(reason(matmul, {{{0, kU16}, {1, blocks(DType::kInt4, 0, 32)}}, kU16}, "SM8350"),
              HasSubstr("not accepted"));
  const GraphBuilder conv3 = conv_graph({16, 32, 3, 3});
  EXPECT_THAT(reason(conv3, {{{0, kU16}, {1, blocks(DType::kInt4, 1, 32)}}, kU16}),
              HasSubstr("1x1"));
  const GraphBuilder conv1 = conv_graph({16, 32, 1, 1});
  EXPECT_THAT(reason(conv1, {{{0, kU16}, {1, blocks(DType::kInt4, 1, 32)}}, kU16}),
              HasSubstr("and a bias"));
  GraphBuilder plain;
  plain.input("x", {1, 32, 8, 8}).constant("w", {16, 32, 1, 1});
  plain.node("Conv", {"x", "w"}, {"y"}, {1, 16, 8, 8});
  EXPECT_EQ(reason(plain, {{{0, kU16}, {1, blocks(DType::kInt4, 1, 32)}}, kU16}), "");
}

TEST(Legality, LayerNormTakesUint8ScaleAndInt32Bias) {
  GraphBuilder norm;
  norm.input("x", {1, 4, 16}).constant("g", {16}).constant("b", {16});
  norm.node("LayerNormalization", {"x", "g", "b"}, {"y"}, {1, 4, 16});
  EXPECT_EQ(reason(norm, {{{0, kU8}, {1, kU8}, {2, kS32}}, kU8}), "");
  EXPECT_EQ(reason(norm, {{{0, kU16}, {1, kU8}, {2, kS32}}, kU16}), "");
  EXPECT_THAT(reason(norm, {{{0, kU16}, {1, kU16}, {2, kS32}}, kU16}), HasSubstr("parameter 1"));
  EXPECT_THAT(reason(norm, {{{0, kS16}, {1, kU8}}, kS16}), HasSubstr("int16 activations"));
}

TEST(Legality, HardSwishRejectsInt16) {
  GraphBuilder swish;
  swish.input("x", {1, 4}).node("HardSwish", {"x"}, {"y"}, {1, 4});
  EXPECT_EQ(reason(swish, {{{0, kU16}}, kU16}), "");
  EXPECT_THAT(reason(swish, {{{0, kS16}}, kS16}), HasSubstr("HardSwish with int16"));
}

TEST(Legality, GemmScalingAndTransposedInputAreObstacles) {
  const auto gemm = [](const graph::Attributes& attributes) {
    GraphBuilder builder;
    builder.input("x", {4, 8}).constant("w", {8, 6}).constant("b", {6});
    builder.node("Gemm", {"x", "w", "b"}, {"y"}, {4, 6}, attributes);
    return reason(builder, {{{0, kU8}, {1, kS8}, {2, kS32}}, kU8});
  };
  EXPECT_EQ(gemm({}), "");
  EXPECT_EQ(gemm({{"transB", std::int64_t{0}}, {"alpha", 1.0F}}), "");
  EXPECT_THAT(gemm({{"alpha", 0.5F}}), HasSubstr("alpha 0.5"));
  EXPECT_THAT(gemm({{"beta", 2.0F}}), HasSubstr("beta 2"));
  EXPECT_THAT(gemm({{"transA", std::int64_t{1}}}), HasSubstr("transA"));
}

TEST(Legality, RankAndUnknownOperations) {
  GraphBuilder wide;
  wide.input("x", {1, 2, 2, 2, 2, 2}).node("Transpose", {"x"}, {"y"}, {1, 2, 2, 2, 2, 2});
  EXPECT_THAT(reason(wide, {{{0, kU8}}, kU8}), HasSubstr("6 dimensions"));
  GraphBuilder unknown;
  unknown.input("x", {1}).node("Frobnicate", {"x"}, {"y"}, {1}, {}, "my.domain");
  EXPECT_THAT(reason(unknown, {}), HasSubstr("my.domain:Frobnicate"));
  GraphBuilder erf;
  erf.input("x", {1}).node("Erf", {"x"}, {"y"}, {1});
  EXPECT_THAT(reason(erf, {}), HasSubstr("CPU"));
}

TEST(Legality, ChannelAxisFollowsTheOperation) {
  const Rules rules = load_target("SM8650").rules;
  const auto axis = [&](const char* op, const Shape& weight, const graph::Attributes& attributes) {
    GraphBuilder builder;
    builder.input("x", {1, 8})
        .constant("w", weight)
        .node(op, {"x", "w"}, {"y"}, {1, 8}, attributes);
    const graph::Node& node = builder.graph().nodes().back();
    return channel_axis(*find_rule(rules, node), node, weight);
  };
  EXPECT_EQ(axis("Conv", {4, 2, 3, 3}, {}), 0);
  EXPECT_EQ(axis("ConvTranspose", {4, 2, 3, 3}, {}), 1);
  EXPECT_EQ(axis("ConvTranspose", {4, 2, 3, 3}, {{"group", std::int64_t{2}}}), -1);
  EXPECT_EQ(axis("Gemm", {4, 2}, {}), 1);
  EXPECT_EQ(axis("Gemm", {4, 2}, {{"transB", std::int64_t{1}}}), 0);
  EXPECT_EQ(axis("MatMul", {4, 2}, {}), 1);
  EXPECT_EQ(axis("MatMul", {3, 4, 2}, {}), -1);
}

}  // namespace
}  // namespace hexquant::target
