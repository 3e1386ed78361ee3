#include "qat/quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "hexquant/error.h"
#include "qat/qat_testing.h"
#include "qat/quantizer_map.h"
#include "support/graph_builder.h"

namespace hexquant::qat {
namespace {

using quant::TensorPolicy;
using testing::random_tensor;

Encoding range_encoding(float min, float max, DType type = DType::kUInt8) {
  return encoding_from_range({min, max}, type, false);
}

void set(const Quantizer& quantizer, const std::vector<float>& values) {
  const torch::NoGradGuard no_gradient;
  quantizer.parameter().tensor.copy_(torch::tensor(values));
}

TEST(Quantizer, ARangeOnBothSidesOfZeroLearnsItsEnds) {
  const Quantizer quantizer("x", range_encoding(-1.0F, 3.0F), nullptr, nullptr, true);
  ASSERT_EQ(quantizer.parameter().tensor.numel(), 2);
  set(quantizer, {-2.0F / 255.0F, 2.0F / 255.0F});
  const Encoding learned = quantizer.encoding();
  EXPECT_NEAR(learned.scale[0], 4.0F / 255.0F, 1e-8F);
  EXPECT_THAT(learned.zero_point, ::testing::ElementsAre(::testing::AnyOf(127, 128)));
}

TEST(Quantizer, ARangeFromZeroKeepsItsZeroPoint) {
  const Quantizer quantizer("x", range_encoding(0.0F, 6.0F), nullptr, nullptr, true);
  ASSERT_EQ(quantizer.parameter().tensor.numel(), 1);
  set(quantizer, {0.5F});
  EXPECT_EQ(quantizer.encoding().zero_point[0], 0);
  EXPECT_EQ(quantizer.encoding().scale[0], 0.5F);
}

TEST(Quantizer, WhatThePlanFixesIsNotLearned) {
  const Encoding start = range_encoding(0.0F, 1.0F);
  TensorPolicy range;
  range.fixed_range = Range{0.0F, 1.0F};
  TensorPolicy encoding;
  encoding.fixed_encoding = start;
  TensorPolicy spare;
  spare.range_factor = 1.01F;
  for (const TensorPolicy& policy : {range, encoding, spare}) {
    EXPECT_FALSE(Quantizer("x", start, &policy, nullptr, true).is_learned());
  }
  const TensorPolicy free;
  EXPECT_TRUE(Quantizer("x", start, &free, nullptr, true).is_learned());
}

TEST(Quantizer, ProjectionKeepsRangesLegal) {
  Quantizer scale("x", range_encoding(0.0F, 255.0F), nullptr, nullptr, true);
  set(scale, {-3.0F});
  scale.project();
  EXPECT_FLOAT_EQ(scale.encoding().scale[0], 1e-3F);

  Quantizer range("x", range_encoding(-100.0F, 155.0F), nullptr, nullptr, true);
  set(range, {0.2F, -0.1F});
  range.project();
  EXPECT_GT(range.encoding().scale[0], 0.0F);
  set(range, {0.2F, 0.5F});
  range.project();
  EXPECT_EQ(range.encoding().zero_point[0], 0);

  Quantizer limited("x", range_encoding(0.0F, 5.0F), nullptr, nullptr, true);
  limited.limit({0.0F, 6.0F});
  set(limited, {1.0F});
  limited.project();
  EXPECT_FLOAT_EQ(limited.encoding().scale[0], 6.0F / 255.0F);

  // The group holds other values too.
  Quantizer wide("x", range_encoding(0.0F, 20.0F), nullptr, nullptr, true);
  wide.limit({0.0F, 6.0F});
  set(wide, {1.0F});
  wide.project();
  EXPECT_FLOAT_EQ(wide.encoding().scale[0], 1.0F);
}

TEST(Quantizer, NarrowCodesAreStoredInTheWiderType) {
  Encoding encoding;
  encoding.type = DType::kInt4;
  encoding.symmetric = true;
  encoding.granularity = Granularity::kChannel;
  encoding.scale = {0.1F, 0.2F};
  encoding.zero_point = {0, 0};
  const Tensor weight = Tensor::from<float>({2, 3}, {0.5F, -1, 3, 0.2F, 0.4F, -0.6F});
  Quantizer quantizer("w", encoding, nullptr, &weight, true);
  quantizer.narrow(2, weight);
  const Encoding narrow = quantizer.encoding();
  // 2 E|w| / sqrt(1)
  EXPECT_FLOAT_EQ(narrow.scale[0], 3.0F);
  EXPECT_FLOAT_EQ(narrow.scale[1], 0.8F);
  const Tensor rounded = quantizer.rounded(weight);
  EXPECT_THAT(to_doubles(rounded),
              ::testing::Pointwise(::testing::DoubleNear(1e-6), {0., 0., 3., 0., 0., -0.8}));
  // int4 nearest rounding reproduces them.
  EXPECT_EQ(fake_quantize_tensor(rounded, narrow), rounded);
}

TEST(Quantizer, TwoLevelScalesLearnTheChannels) {
  Encoding encoding;
  encoding.type = DType::kInt4;
  encoding.symmetric = true;
  encoding.granularity = Granularity::kGroup;
  encoding.axis = 1;
  encoding.block_size = 2;
  encoding.block_int_scale = {3, 1, 2, 4};
  encoding.channel_scale = {0.1F, 0.05F};
  encoding.scale = {3 * 0.1F, 0.1F, 2 * 0.05F, 4 * 0.05F};
  encoding.zero_point.assign(4, 0);
  const Tensor weight = random_tensor({2, 4}, 1, 0.3F);
  const Quantizer quantizer("w", encoding, nullptr, &weight, true);
  ASSERT_EQ(quantizer.parameter().tensor.numel(), 2);
  set(quantizer, {0.2F, 0.05F});
  const Encoding learned = quantizer.encoding();
  EXPECT_THAT(learned.scale, ::testing::ElementsAre(3 * 0.2F, 0.2F, 2 * 0.05F, 4 * 0.05F));
  EXPECT_THAT(learned.block_int_scale, ::testing::ElementsAre(3, 1, 2, 4));
  EXPECT_EQ(quantizer.rounded(weight), fake_quantize_tensor(weight, learned));
  quantizer.apply(to_torch(weight)).sum().backward();
  EXPECT_EQ(quantizer.parameter().tensor.grad().numel(), 2);
}

/// conv -> Relu -> Reshape -> MatMul, with one encoding for both sides of the Reshape.
graph::Graph small_graph() {
  return test::GraphBuilder()
      .input("x", {1, 2, 4, 4})
      .constant("w", {3, 2, 1, 1})
      .constant("v", {48, 5})
      .int64s("shape", {1, 48})
      .node("Conv", {"x", "w"}, {"c"}, {1, 3, 4, 4})
      .node("Relu", {"c"}, {"r"}, {1, 3, 4, 4})
      .node("Reshape", {"r", "shape"}, {"f"}, {1, 48})
      .node("MatMul", {"f", "v"}, {"y"}, {1, 5})
      .output("y")
      .graph();
}

TEST(QuantizerMap, SharedEncodingsAreOneParameter) {
  quant::QuantPlan plan;
  quant::EncodingTable table;
  for (const char* name : {"x", "r", "f", "y"}) table.tensors[name] = range_encoding(-1.0F, 2.0F);
  plan.tensors["f"].shares_encoding_of = "r";
  Encoding weight = range_encoding(-1.0F, 1.0F, DType::kInt8);
  weight.symmetric = true;
  weight.zero_point = {0};
  table.tensors["w"] = weight;
  table.edges[{"y", 0}] = range_encoding(-1.0F, 1.0F);
  const graph::Graph graph = small_graph();
  const QuantizerMap map(graph, plan, table, {});
  EXPECT_EQ(map.of_value("r"), map.of_value("f"));
  EXPECT_NE(map.of_value("x"), map.of_value("r"));
  EXPECT_EQ(map.of_value("v"), nullptr);
  EXPECT_NE(map.of_edge("y", 0), nullptr);
  EXPECT_EQ(map.of_edge("y", 1), nullptr);
  EXPECT_EQ(map.all().size(), 5U);  // x, r+f, y, w, the edge

  const auto network = TrainableNetwork::make(graph, plan, table);
  EXPECT_EQ(network.ranges().size(), 5U);
  EXPECT_EQ(network.weights().size(), 2U);
  EXPECT_EQ(network.fixed_batch(), 1);
}

TEST(TrainableNetwork, EveryUnsupportedNodeIsNamed) {
  const graph::Graph graph = test::GraphBuilder()
                                 .input("x", {1, 4})
                                 .node("NonZero", {"x"}, {"n"}, {2, 4}, {}, "", DType::kInt64)
                                 .node("Det", {"x"}, {"d"}, {1})
                                 .output("n")
                                 .output("d")
                                 .graph();
  try {
    static_cast<void>(TrainableNetwork::make(graph, {}, {}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "2 nodes cannot be trained: 'n' (NonZero): no gradient is known for this "
                 "operation; 'd' (Det): no gradient is known for this operation");
  }
}

TEST(TrainableNetwork, InputsThatDoNotFitAreRefused) {
  const auto network = TrainableNetwork::make(small_graph(), {}, {});
  const auto code = [&](const std::vector<torch::Tensor>& inputs) {
    try {
      static_cast<void>(network.forward(inputs, Mode::kFloat));
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code({}), ErrorCode::kInvalidData);
  EXPECT_EQ(code({torch::zeros({1, 2, 4, 5})}), ErrorCode::kInvalidData);
  EXPECT_EQ(code({torch::zeros({1, 2, 4, 4}, torch::kInt64)}), ErrorCode::kInvalidData);
}

TEST(TrainableNetwork, TapsAreTheValuesThatReadersSee) {
  quant::EncodingTable table;
  table.tensors["r"] = encoding_from_range({0.0F, 1.0F}, DType::kUInt4, false);
  const graph::Graph graph = small_graph();
  const auto network = TrainableNetwork::make(graph, {}, table);
  const torch::Tensor x = torch::randn({1, 2, 4, 4});
  const torch::Tensor exact = network.forward({x}, Mode::kFloat, {"r"}).taps.front();
  const torch::Tensor rounded = network.forward({x}, Mode::kQuantized, {"r"}).taps.front();
  EXPECT_EQ(from_torch(rounded), fake_quantize_tensor(from_torch(exact), table.tensors.at("r")));
  EXPECT_FALSE(torch::equal(exact, rounded));
  EXPECT_THAT(network.block_outputs(), ::testing::ElementsAre("r", "y"));
}

}  // namespace
}  // namespace hexquant::qat
