#include <cmath>

#include "graph/integer_input.h"
#include "passes/fold_batch_norm.h"
#include "passes/infer_shapes.h"
#include "passes/input_levels.h"
#include "passes/pattern_builder.h"
#include "passes/recognise_integer_input.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using Ints = std::vector<std::int64_t>;
using test::floats;
using test::PatternBuilder;

Graph uint8_graph(const std::vector<std::pair<std::string, float>>& chain, bool keep_cast = false) {
  Graph graph = test::empty_graph();
  graph.add_input("q", test::value_type(DType::kUInt8, {{1, ""}, {2, ""}, {3, ""}}));
  std::string value = "x";
  graph.add_node({"Cast", {"q"}, {value}, {{"to", std::int64_t{1}}}, "cast"});
  int count = 0;
  for (const auto& [op, constant] : chain) {
    const std::string next = "v" + std::to_string(count++);
    graph.add_initializer(next + "_c", Tensor::scalar(constant));
    graph.add_node({op, {value, next + "_c"}, {next}, {}, next});
    value = next;
  }
  graph.add_node({"Relu", {value}, {"y"}, {}, "relu"});
  graph.add_output("y");
  if (keep_cast) {
    graph.add_node({"Neg", {"x"}, {"z"}, {}, "neg"});
    graph.add_output("z");
  }
  (void)infer_shapes(graph, {});
  return graph;
}

/// Every level 0..255 in steps, through both graphs.
void expect_same_levels(const Graph& a, const Graph& b, double tolerance) {
  const std::string input = a.inputs()[0];
  const Shape shape = *a.find_type(input)->fixed_shape();
  Tensor levels(DType::kUInt8, shape);
  std::uint8_t level = 0;
  for (std::uint8_t& value : levels.mutable_data<std::uint8_t>()) value = level += 37;
  const auto expected = test::run_graph(a, {{input, levels}});
  const auto actual = test::run_graph(b, {{input, levels}});
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LE(test::largest_difference(expected[i], actual[i]), tolerance);
  }
}

TEST(RecogniseIntegerInput, CastBecomesTheEncodingOfTheInput) {
  Graph graph = uint8_graph({});
  const Graph original = graph;
  EXPECT_EQ(recognise_integer_input(graph).applied_to, std::vector<std::string>{"cast"});
  EXPECT_EQ(test::count_nodes(graph, "Cast"), 0);
  const auto input = graph::integer_input(graph, graph.producer("y")->input(0));
  ASSERT_TRUE(input);
  EXPECT_EQ(input->scale, 1.0F);
  EXPECT_EQ(input->zero_point, 0);
  expect_same_levels(original, graph, 0.0);
}

TEST(RecogniseIntegerInput, TakesArithmeticThatIsAnEncoding) {
  // (q / 64 - 2) / 0.5 = (q - 128) / 32.
  Graph graph = uint8_graph({{"Div", 64.0F}, {"Sub", 2.0F}, {"Div", 0.5F}});
  const Graph original = graph;
  EXPECT_EQ(recognise_integer_input(graph).applied_to.size(), 1U);
  const auto input = graph::integer_input(graph, graph.producer("y")->input(0));
  ASSERT_TRUE(input);
  EXPECT_EQ(input->scale, 1.0F / 32.0F);
  EXPECT_EQ(input->zero_point, 128);
  expect_same_levels(original, graph, 0.0);
}

TEST(RecogniseIntegerInput, WhatIsNoEncodingStaysBehindIt) {
  // 127.5 is no code; a negative factor would turn the codes around.
  for (const auto& chain : std::vector<std::vector<std::pair<std::string, float>>>{
           {{"Sub", 127.5F}, {"Div", 127.5F}}, {{"Mul", -1.0F}}, {{"Add", 3.0F}}}) {
    Graph graph = uint8_graph(chain);
    const Graph original = graph;
    EXPECT_EQ(recognise_integer_input(graph).applied_to.size(), 1U);
    EXPECT_EQ(graph.nodes().size(), original.nodes().size());
    EXPECT_EQ(test::count_nodes(graph, "DequantizeLinear"), 1);
    expect_same_levels(original, graph, 0.0);
  }
}

TEST(RecogniseIntegerInput, OtherReadersKeepTheirValue) {
  Graph graph = uint8_graph({{"Sub", 5.0F}}, true);
  const Graph original = graph;
  EXPECT_EQ(recognise_integer_input(graph).applied_to.size(), 1U);
  EXPECT_EQ(test::count_nodes(graph, "Sub"), 1);
  expect_same_levels(original, graph, 0.0);
}

TEST(RecogniseIntegerInput, OtherTypesAndComputedValuesAreLeftAlone) {
  Graph graph = uint8_graph({});
  graph.set_input_type("q", test::value_type(DType::kInt8, {{1, ""}, {2, ""}, {3, ""}}));
  EXPECT_TRUE(recognise_integer_input(graph).applied_to.empty());
}

// ---- normalization

/// x [1,3,6,6] -> [Transpose of NHWC] -> Conv(padded or not) -> y
Graph image_graph(bool padded, bool channel_last = false, const std::string& reader = "Conv") {
  Graph graph = test::empty_graph();
  std::string image = "x";
  if (channel_last) {
    graph.add_input("x", test::float_type({1, 6, 6, 3}));
    image = "nchw";
    graph.add_node({"Transpose", {"x"}, {image}, {{"perm", Ints{0, 3, 1, 2}}}, "transpose"});
  } else {
    graph.add_input("x", test::float_type({1, 3, 6, 6}));
  }
  if (reader == "Conv") {
    graph.add_initializer("w", test::random_floats({4, 3, 3, 3}, 5));
    const std::int64_t pad = padded ? 1 : 0;
    graph.add_node({"Conv", {image, "w"}, {"y"}, {{"pads", Ints{pad, pad, pad, pad}}}, "conv"});
  } else {
    graph.add_node({reader, {image}, {"y"}, {}, "reader"});
  }
  graph.add_output("y");
  (void)infer_shapes(graph, {});
  return graph;
}

Tensor level_image(const Shape& shape) {
  Tensor levels(DType::kUInt8, shape);
  std::uint32_t state = 1;
  for (std::uint8_t& value : levels.mutable_data<std::uint8_t>()) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24U);
  }
  return levels;
}

/// (levels - mean) / std as the original model is fed.
Tensor normalized(const Tensor& levels, const Normalization& normalization, bool channel_last) {
  Tensor result(DType::kFloat32, levels.shape());
  const auto from = levels.data<std::uint8_t>();
  const auto to = result.mutable_data<float>();
  const std::size_t plane = channel_last ? 1 : 36;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::size_t c = i / plane % 3;
    const auto pick = [&](const std::vector<double>& v) { return v[v.size() == 1 ? 0 : c]; };
    to[i] = static_cast<float>((from[i] - pick(normalization.mean)) / pick(normalization.std));
  }
  return result;
}

Tensor as_floats(const Tensor& levels) {
  const auto from = levels.data<std::uint8_t>();
  return Tensor::from<float>(levels.shape(), std::vector<float>(from.begin(), from.end()));
}

struct Levels {
  Graph graph;
  Findings findings;
  Tensor expected;
  Tensor actual;
};

/// Runs the original on normalized values, the changed model on levels.
Levels fold(const Graph& original, const Normalization& normalization, bool channel_last = false,
            bool exact = false, bool integer = true) {
  Levels result{original, {}, {}, {}};
  const std::int64_t axis = channel_last ? 3 : 1;
  EXPECT_EQ(insert_normalization(result.graph, "x", axis, normalization).applied_to.size(), 1U);
  (void)fold_batch_norm(result.graph);
  if (integer) {
    const PassReport report = make_input_integer(result.graph, "x", exact);
    EXPECT_EQ(report.applied_to.size(), 1U);
    result.findings = report.findings;
    EXPECT_EQ(result.graph.find_type("x")->dtype, DType::kUInt8);
  }
  const Tensor levels = level_image(*original.find_type("x")->fixed_shape());
  result.expected =
      test::run_graph(original, {{"x", normalized(levels, normalization, channel_last)}})[0];
  result.actual = test::run_graph(result.graph, {{"x", integer ? levels : as_floats(levels)}})[0];
  return result;
}

/// Sums of 27 products of levels up to 255.
constexpr double kRounding = 1e-5;

const Normalization kImageNet{{123.675, 116.28, 103.53}, {58.395, 57.12, 57.375}};

TEST(FoldNormalization, IsExactWithoutPadding) {
  for (const bool channel_last : {false, true}) {
    const Levels result = fold(image_graph(false, channel_last), kImageNet, channel_last);
    EXPECT_LE(test::largest_difference(result.expected, result.actual), kRounding);
    EXPECT_TRUE(result.findings.empty());
    EXPECT_EQ(test::count_nodes(result.graph, "Add") + test::count_nodes(result.graph, "Sub") +
                  test::count_nodes(result.graph, "Mul"),
              0);
  }
}

TEST(FoldNormalization, OneIntegerMeanIsExactAtTheBorderToo) {
  const Levels result = fold(image_graph(true), {{127.0}, {128.0}});
  EXPECT_LE(test::largest_difference(result.expected, result.actual), kRounding);
  EXPECT_TRUE(result.findings.empty());
  const auto input = graph::integer_input(result.graph, result.graph.producer("y")->input(0));
  ASSERT_TRUE(input);
  EXPECT_EQ(input->zero_point, 127) << "padding stands for the mean, as before";
  EXPECT_EQ(result.graph.nodes().size(), 2U);
}

/// Largest difference within and at the border of the 6 x 6 outputs.
std::pair<double, double> differences(const Levels& result) {
  double inner = 0.0;
  double border = 0.0;
  const auto a = result.expected.data<float>();
  const auto b = result.actual.data<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::size_t row = i / 6 % 6;
    const std::size_t column = i % 6;
    const bool at_border = row == 0 || row == 5 || column == 0 || column == 5;
    double& worst = at_border ? border : inner;
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return {inner, border};
}

TEST(FoldNormalization, DifferentMeansAreExactButAtTheBorder) {
  const Levels result = fold(image_graph(true), kImageNet);
  const auto [inner, border] = differences(result);
  EXPECT_LE(inner, 10 * kRounding);
  // Up to 3 + 3 - 1 padded taps of 3 channels, each wrong by (m - z) / std <= 11 / 57, weights
  // below 1.
  EXPECT_GT(border, 1e-3) << "the padding cannot stand for three means at once";
  EXPECT_LT(border, 15 * 11.0 / 57.0);
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.findings[0].id, "border-approximated");
}

TEST(FoldNormalization, ZeroPaddingAloneWouldBeFarOff) {
  // What the zero point is for: with 0 instead, the border is wrong by the means themselves.
  const Levels near = fold(image_graph(true), kImageNet);
  Graph far = near.graph;
  for (const graph::Node* node : far.node_list()) {
    if (!node->is("DequantizeLinear")) continue;
    far.set_initializer(node->input(2), Tensor::scalar(std::uint8_t{0}));
  }
  const Tensor levels = level_image({1, 3, 6, 6});
  const Levels wrong{far, {}, near.expected, test::run_graph(far, {{"x", levels}})[0]};
  EXPECT_GT(differences(wrong).first, 10 * differences(near).second);
}

TEST(FoldNormalization, ExactKeepsTheSubtraction) {
  const Levels result = fold(image_graph(true), kImageNet, false, true);
  EXPECT_LE(test::largest_difference(result.expected, result.actual), kRounding);
  EXPECT_EQ(test::count_nodes(result.graph, "Add"), 1);
  EXPECT_TRUE(result.findings.empty());
}

TEST(FoldNormalization, OtherReadersKeepTheSubtraction) {
  const Levels result = fold(image_graph(false, false, "Tanh"), kImageNet);
  EXPECT_LE(test::largest_difference(result.expected, result.actual), kRounding);
  EXPECT_EQ(test::count_nodes(result.graph, "Tanh"), 1);
}

TEST(FoldNormalization, FloatInputsMayStay) {
  const Levels result = fold(image_graph(true), kImageNet, false, false, false);
  EXPECT_LE(test::largest_difference(result.expected, result.actual), kRounding);
  EXPECT_EQ(result.graph.find_type("x")->dtype, DType::kFloat32);
}

TEST(FoldNormalization, RefusesNumbersThatDoNotFit) {
  Graph graph = image_graph(false);
  const Graph original = graph;
  const PassReport report = insert_normalization(graph, "x", 1, {{1.0, 2.0}, {1.0}});
  EXPECT_TRUE(report.applied_to.empty());
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "normalization-not-folded");
  EXPECT_EQ(graph.nodes().size(), original.nodes().size());
  EXPECT_TRUE(insert_normalization(graph, "x", 1, {}).applied_to.empty()) << "nothing to do";
}

}  // namespace
}  // namespace hexquant::passes
