#include "passes/fold_batch_norm.h"

#include <limits>

#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::floats;
using test::only_node;
using test::PatternBuilder;
using test::random_floats;

using Ints = std::vector<std::int64_t>;

std::string batch_norm(PatternBuilder& b, const std::string& value, std::int64_t channels,
                       bool shift = true, unsigned seed = 50) {
  const auto parameter = [&](unsigned offset, float low, float high) {
    return b.constant(random_floats({channels}, seed + offset, low, high));
  };
  const std::string zeros = b.constant(Tensor(DType::kFloat32, {channels}));
  return b.op("BatchNormalization",
              {value, parameter(0, 0.5F, 1.5F), shift ? parameter(1, -1.0F, 1.0F) : zeros,
               shift ? parameter(2, -1.0F, 1.0F) : zeros, parameter(3, 0.2F, 2.0F)},
              {{"epsilon", 1e-3F}});
}

std::string conv(PatternBuilder& b, const std::string& value, const Shape& weight,
                 const graph::Attributes& attributes = {}, bool bias = false,
                 const std::string& op_type = "Conv") {
  std::vector<std::string> inputs{value, b.constant(random_floats(weight, 11))};
  if (bias) {
    const bool transposed = op_type == "ConvTranspose";
    const auto group = attributes.contains("group") ? std::get<std::int64_t>(attributes.at("group"))
                                                    : std::int64_t{1};
    inputs.push_back(b.constant(random_floats({transposed ? weight[1] * group : weight[0]}, 12)));
  }
  return b.op(op_type, inputs, attributes);
}

graph::Graph expect_one_node(const graph::Graph& original) {
  const graph::Graph changed = expect_applied(original, fold_batch_norm);
  EXPECT_EQ(changed.nodes().size(), 1U);
  return changed;
}

// ---- backward

TEST(FoldBatchNorm, HandComputed) {
  // y = 2 (3 x + 1 - 5) / sqrt(3.75 + 0.25) + 7 = 3 x + 3, all exact in float32.
  PatternBuilder b({1, 1, 1, 1});
  const std::string y = b.op(
      "Conv", {"x", b.constant(floats({1, 1, 1, 1}, {3.0F})), b.constant(floats({1}, {1.0F}))});
  const auto one = [&](float value) { return b.constant(floats({1}, {value})); };
  const graph::Graph original =
      b.finish(b.op("BatchNormalization", {y, one(2.0F), one(7.0F), one(5.0F), one(3.75F)},
                    {{"epsilon", 0.25F}}));
  const graph::Graph changed = expect_one_node(original);
  const graph::Node& node = only_node(changed, "Conv");
  EXPECT_EQ(changed.find_initializer(node.input(1))->data<float>()[0], 3.0F);
  EXPECT_EQ(changed.find_initializer(node.input(2))->data<float>()[0], 3.0F);
  EXPECT_EQ(node.output(), original.outputs()[0]);
}

TEST(FoldBatchNorm, RecordsWhatItFoldedWithWhatStandsBehind) {
  // As above, and then times 4 plus 1: gamma 8, beta 29, the layer's own output in between.
  PatternBuilder b({1, 1, 1, 1});
  const auto one = [&](float value) { return b.constant(floats({1}, {value})); };
  const std::string y = b.op("Conv", {"x", b.constant(floats({1, 1, 1, 1}, {3.0F})), one(1.0F)});
  const std::string normed = b.op(
      "BatchNormalization", {y, one(2.0F), one(7.0F), one(5.0F), one(3.75F)}, {{"epsilon", 0.25F}});
  graph::Graph graph = b.finish(b.op("Add", {b.op("Mul", {normed, one(4.0F)}), one(1.0F)}));
  const PassReport report = fold_batch_norm(graph);
  ASSERT_EQ(report.folded_norms.size(), 1U);
  const FoldedNorm& norm = report.folded_norms[0];
  EXPECT_EQ(norm.layer, only_node(graph, "Conv").name());
  EXPECT_EQ(norm.gamma, (std::vector<double>{8.0}));
  EXPECT_EQ(norm.beta, (std::vector<double>{29.0}));
  EXPECT_EQ(norm.deviation, (std::vector<double>{2.0}));
  EXPECT_EQ(norm.epsilon, 0.25);
}

TEST(FoldBatchNorm, RecordsNoFactorsAlone) {
  PatternBuilder b({1, 1, 1, 1});
  const std::string y = b.op("Conv", {"x", b.constant(floats({1, 1, 1, 1}, {3.0F}))});
  graph::Graph graph = b.finish(b.op("Mul", {y, b.constant(floats({1}, {4.0F}))}));
  const PassReport report = fold_batch_norm(graph);
  EXPECT_EQ(report.applied_to.size(), 1U);
  EXPECT_TRUE(report.folded_norms.empty());
}

TEST(FoldBatchNorm, IntoConv) {
  for (const bool bias : {false, true}) {
    PatternBuilder b({2, 3, 5, 6});
    const std::string y = conv(b, "x", {4, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, bias);
    expect_one_node(b.finish(batch_norm(b, y, 4)));

    PatternBuilder grouped({2, 4, 5, 6});
    const std::string z = conv(grouped, "x", {6, 2, 3, 3}, {{"group", std::int64_t{2}}}, bias);
    expect_one_node(grouped.finish(batch_norm(grouped, z, 6)));

    PatternBuilder line({2, 3, 9});
    expect_one_node(line.finish(batch_norm(line, conv(line, "x", {4, 3, 3}, {}, bias), 4)));
  }
}

TEST(FoldBatchNorm, IntoConvTranspose) {
  for (const bool bias : {false, true}) {
    for (const std::int64_t group : {1, 2}) {
      PatternBuilder b({2, 4, 3, 4});
      const std::string y = conv(b, "x", {4, 3, 2, 2}, {{"group", group}, {"strides", Ints{2, 2}}},
                                 bias, "ConvTranspose");
      expect_one_node(b.finish(batch_norm(b, y, 3 * group)));
    }
  }
}

TEST(FoldBatchNorm, IntoGemm) {
  for (const std::int64_t trans : {0, 1}) {
    for (const Shape& bias : {Shape{}, Shape{5}, Shape{1, 5}, Shape{1}}) {
      PatternBuilder b({3, 4});
      std::vector<std::string> inputs{
          "x", b.constant(random_floats(trans != 0 ? Shape{5, 4} : Shape{4, 5}, 3))};
      if (!bias.empty()) inputs.push_back(b.constant(random_floats(bias, 4)));
      const std::string y =
          b.op("Gemm", inputs, {{"transB", trans}, {"alpha", 0.5F}, {"beta", 2.0F}});
      const graph::Graph changed = expect_one_node(b.finish(batch_norm(b, y, 5)));
      EXPECT_FLOAT_EQ(only_node(changed, "Gemm").float_attribute("alpha", 1.0F), 0.5F);
    }
  }
}

TEST(FoldBatchNorm, GemmWithABiasForEachRowStays) {
  PatternBuilder b({3, 4});
  const std::string y = b.op(
      "Gemm", {"x", b.constant(random_floats({4, 5}, 3)), b.constant(random_floats({3, 5}, 4))});
  expect_untouched(b.finish(batch_norm(b, y, 5)), fold_batch_norm);
}

TEST(FoldBatchNorm, MatMulKeepsOneAdd) {
  PatternBuilder b({3, 4});
  const std::string y = b.op("MatMul", {"x", b.constant(random_floats({4, 5}, 3))});
  const graph::Graph changed = expect_applied(b.finish(batch_norm(b, y, 5)), fold_batch_norm);
  EXPECT_EQ(changed.nodes().size(), 2U);
  only_node(changed, "Add");

  PatternBuilder scaled({2, 3, 4});
  const std::string z = scaled.op("MatMul", {"x", scaled.constant(random_floats({4, 5}, 3))});
  expect_one_node(
      scaled.finish(scaled.op("Mul", {z, scaled.constant(random_floats({1, 1, 5}, 4))})));

  PatternBuilder biased({2, 3, 4});
  const std::string u = biased.op("MatMul", {"x", biased.constant(random_floats({4, 5}, 3))});
  expect_untouched(biased.finish(biased.op("Add", {u, biased.constant(random_floats({5}, 4))})),
                   fold_batch_norm);
}

TEST(FoldBatchNorm, BatchNormOfAMiddleAxisIsNoMatMulChannel) {
  PatternBuilder b({2, 5, 4});
  const std::string y = b.op("MatMul", {"x", b.constant(random_floats({4, 5}, 3))});
  const Findings findings = expect_untouched(b.finish(batch_norm(b, y, 5)), fold_batch_norm);
  EXPECT_EQ(findings.size(), 1U);
}

TEST(FoldBatchNorm, ChainOfAffineNodes) {
  PatternBuilder b({2, 3, 5, 5});
  std::string y = conv(b, "x", {4, 3, 3, 3}, {{"auto_pad", std::string("SAME_UPPER")}}, true);
  y = batch_norm(b, y, 4);
  y = b.op("Mul", {b.scalar(1.5F, {1}), y});
  y = b.op("Add", {y, b.constant(random_floats({4, 1, 1}, 4))});
  y = b.op("Div", {y, b.constant(random_floats({1, 4, 1, 1}, 5, 0.5F, 1.5F))});
  y = b.op("Sub", {b.scalar(0.25F), y});
  y = b.op("Sub", {y, b.constant(random_floats({4, 1, 1}, 6))});
  expect_one_node(b.finish(y));
}

TEST(FoldBatchNorm, ConstantsAlongOtherAxesStay) {
  for (const Shape& shape :
       {Shape{4}, Shape{1, 4}, Shape{1, 4, 1}, Shape{2, 1, 1, 1}, Shape{4, 4, 4}}) {
    PatternBuilder b({2, 3, 4, 4});
    const std::string y = conv(b, "x", {4, 3, 1, 1});
    expect_untouched(b.finish(b.op("Mul", {y, b.constant(random_floats(shape, 4))})),
                     fold_batch_norm);
  }
  PatternBuilder rank5({2, 3, 4, 4});
  const std::string y = conv(rank5, "x", {4, 3, 1, 1});
  expect_untouched(rank5.finish(rank5.op("Mul", {y, rank5.scalar(2.0F, {1, 1, 1, 1, 1})})),
                   fold_batch_norm);
}

TEST(FoldBatchNorm, DivisionByTheActivationStays) {
  PatternBuilder b({2, 3, 4, 4});
  const std::string y = conv(b, "x", {4, 3, 1, 1});
  expect_untouched(b.finish(b.op("Div", {b.scalar(1.0F), y})), fold_batch_norm);
}

TEST(FoldBatchNorm, SharedWeightAndBiasKeepTheirOtherReaders) {
  PatternBuilder b({2, 3, 4, 4});
  const std::string weight = b.constant(random_floats({3, 3, 1, 1}, 3));
  const std::string bias = b.constant(random_floats({3}, 4));
  const std::string first = b.op("Conv", {"x", weight, bias});
  const std::string second = b.op("Conv", {"x", weight, bias});
  const graph::Graph changed =
      expect_applied(b.finish(b.op("Add", {batch_norm(b, first, 3), second})), fold_batch_norm);
  EXPECT_EQ(changed.nodes().size(), 3U);
  EXPECT_EQ(*changed.find_initializer(weight), random_floats({3, 3, 1, 1}, 3));
  EXPECT_EQ(*changed.find_initializer(bias), random_floats({3}, 4));
}

TEST(FoldBatchNorm, ConvOutputWithAnotherReader) {
  PatternBuilder b({2, 3, 4, 4});
  const std::string y = conv(b, "x", {4, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}});
  const graph::Graph graph = b.finish(b.op("Add", {batch_norm(b, y, 4), y}));
  const Findings findings = expect_untouched(graph, fold_batch_norm);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].id, "batch-norm-kept");
  EXPECT_NE(findings[0].reason.find(y), std::string::npos);

  graph::Graph tapped = b.graph;
  tapped.add_output(y);
  expect_untouched(tapped, fold_batch_norm);
}

TEST(FoldBatchNorm, WithoutALayerItStays) {
  PatternBuilder b({2, 3, 4, 4});
  const Findings findings =
      expect_untouched(b.finish(b.op("Relu", {batch_norm(b, "x", 3)})), fold_batch_norm);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].severity, Severity::kInfo);
}

TEST(FoldBatchNorm, NegativeVarianceStays) {
  PatternBuilder b({2, 3, 4, 4});
  const std::string y = conv(b, "x", {1, 3, 1, 1});
  const auto one = [&](float value) { return b.constant(floats({1}, {value})); };
  graph::Graph changed =
      b.finish(b.op("BatchNormalization", {y, one(1.0F), one(0.0F), one(0.0F), one(-1.0F)}));
  EXPECT_TRUE(fold_batch_norm(changed).applied_to.empty());
}

// ---- forward

TEST(FoldBatchNorm, ForwardIntoConv) {
  for (const bool bias : {false, true}) {
    PatternBuilder b({2, 4, 5, 6});
    expect_one_node(b.finish(conv(b, batch_norm(b, "x", 4), {6, 4, 3, 3}, {}, bias)));

    PatternBuilder grouped({2, 4, 5, 6});
    expect_one_node(grouped.finish(conv(grouped, batch_norm(grouped, "x", 4), {6, 2, 3, 3},
                                        {{"group", std::int64_t{2}}}, bias)));
  }
}

TEST(FoldBatchNorm, ForwardThroughPaddingOnlyWithoutShift) {
  const graph::Attributes padded{{"pads", Ints{0, 1, 0, 1}}};
  PatternBuilder scale({2, 4, 5, 6});
  expect_one_node(
      scale.finish(conv(scale, batch_norm(scale, "x", 4, false), {6, 4, 3, 3}, padded)));

  PatternBuilder shift({2, 4, 5, 6});
  expect_untouched(shift.finish(conv(shift, batch_norm(shift, "x", 4), {6, 4, 3, 3}, padded)),
                   fold_batch_norm);

  PatternBuilder same({2, 4, 5, 6});
  expect_untouched(same.finish(conv(same, batch_norm(same, "x", 4), {6, 4, 3, 3},
                                    {{"auto_pad", std::string("SAME_LOWER")}})),
                   fold_batch_norm);

  PatternBuilder valid({2, 4, 5, 6});
  expect_one_node(valid.finish(
      conv(valid, batch_norm(valid, "x", 4), {6, 4, 3, 3}, {{"auto_pad", std::string("VALID")}})));
}

TEST(FoldBatchNorm, ForwardChainWithShiftLeavesOneAdd) {
  // scale and shift after an activation, as PP-LCNet has them before each depthwise convolution
  const graph::Attributes depthwise{{"pads", Ints{1, 1, 1, 1}}, {"group", std::int64_t{4}}};
  for (const bool scalar : {false, true}) {
    PatternBuilder b({2, 4, 5, 6});
    const Shape shape = scalar ? Shape{1} : Shape{4, 1, 1};
    const auto number = [&](unsigned seed) {
      return b.constant(random_floats(shape, seed, 0.25F, 2.0F));
    };
    std::string y = b.op("Mul", {number(1), b.op("Relu", {"x"})});
    y = b.op("Sub", {b.op("Add", {y, number(2)}), number(3)});
    const graph::Graph changed =
        expect_applied(b.finish(conv(b, y, {4, 1, 3, 3}, depthwise)), fold_batch_norm);
    EXPECT_EQ(changed.nodes().size(), 3U);
    const graph::Node& add = only_node(changed, "Add");
    EXPECT_EQ(changed.find_initializer(add.input(1))->rank(), scalar ? 0 : 3);
  }
  PatternBuilder product({2, 3, 4});
  const std::string scaled = product.op("Mul", {"x", product.constant(random_floats({4}, 4))});
  const std::string sum = product.op("Add", {scaled, product.constant(random_floats({4}, 5))});
  const graph::Graph changed = expect_applied(
      product.finish(product.op("MatMul", {sum, product.constant(random_floats({4, 5}, 3))})),
      fold_batch_norm);
  EXPECT_EQ(changed.nodes().size(), 2U);
}

TEST(FoldBatchNorm, ForwardChainWithAZeroFactorStays) {
  PatternBuilder b({2, 2, 5, 6});
  const std::string scaled = b.op("Mul", {"x", b.constant(floats({2, 1, 1}, {0.0F, 2.0F}))});
  const std::string sum = b.op("Add", {scaled, b.scalar(1.0F)});
  expect_untouched(b.finish(conv(b, sum, {3, 2, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}})),
                   fold_batch_norm);
}

TEST(FoldBatchNorm, ForwardAddBeforeMulBecomesOneAdd) {
  PatternBuilder b({2, 4, 5, 6});
  const std::string sum = b.op("Add", {"x", b.scalar(0.5F)});
  const std::string product = b.op("Mul", {sum, b.constant(random_floats({4, 1, 1}, 9))});
  const graph::Graph changed = expect_applied(
      b.finish(conv(b, product, {6, 4, 3, 3}, {{"pads", Ints{0, 1, 0, 1}}})), fold_batch_norm);
  EXPECT_EQ(changed.nodes().size(), 2U);
}

TEST(FoldBatchNorm, ForwardIntoConvTransposeOnlyWithoutShift) {
  for (const std::int64_t group : {1, 2}) {
    PatternBuilder b({2, 4, 3, 4});
    expect_one_node(b.finish(conv(b, batch_norm(b, "x", 4, false), {4, 3, 2, 2}, {{"group", group}},
                                  true, "ConvTranspose")));
  }
  PatternBuilder shift({2, 4, 3, 4});
  expect_untouched(
      shift.finish(conv(shift, batch_norm(shift, "x", 4), {4, 3, 2, 2}, {}, true, "ConvTranspose")),
      fold_batch_norm);
}

TEST(FoldBatchNorm, ForwardIntoGemmAndMatMul) {
  for (const std::int64_t trans : {0, 1}) {
    PatternBuilder b({3, 4});
    const std::string y =
        b.op("Gemm",
             {batch_norm(b, "x", 4),
              b.constant(random_floats(trans != 0 ? Shape{5, 4} : Shape{4, 5}, 3)),
              b.constant(random_floats({5}, 4))},
             {{"transB", trans}, {"alpha", 0.5F}, {"beta", 2.0F}});
    expect_one_node(b.finish(y));
  }
  PatternBuilder transposed({4, 3});  // transA: the channels lie along axis 0
  expect_untouched(
      transposed.finish(transposed.op(
          "Gemm", {batch_norm(transposed, "x", 3), transposed.constant(random_floats({4, 5}, 3))},
          {{"transA", std::int64_t{1}}})),
      fold_batch_norm);

  PatternBuilder product({2, 3, 4});
  const std::string scaled = product.op("Mul", {"x", product.constant(random_floats({4}, 4))});
  expect_one_node(
      product.finish(product.op("MatMul", {scaled, product.constant(random_floats({4, 5}, 3))})));
}

TEST(FoldBatchNorm, ForwardNeedsASingleReader) {
  PatternBuilder b({2, 4, 5, 6});
  const std::string y = batch_norm(b, "x", 4);
  expect_untouched(b.finish(b.op("Add", {conv(b, y, {4, 4, 1, 1}), b.op("Relu", {y})})),
                   fold_batch_norm);
}

TEST(FoldBatchNorm, BetweenTwoConvsItGoesBackward) {
  PatternBuilder b({2, 3, 5, 6});
  const std::string first = conv(b, "x", {4, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}});
  const graph::Graph original = b.finish(conv(b, batch_norm(b, first, 4), {2, 4, 1, 1}));
  const graph::Graph changed = expect_applied(original, fold_batch_norm);
  EXPECT_EQ(changed.nodes().size(), 2U);
  EXPECT_FALSE(changed.nodes().front().input(2).empty());
  EXPECT_TRUE(changed.nodes().back().input(2).empty());
}

}  // namespace
}  // namespace hexquant::passes
