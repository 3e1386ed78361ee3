#include <cmath>

#include "passes/drop_border_conversions.h"
#include "passes/pattern_builder.h"
#include "passes/quantize_biases.h"
#include "passes/remove_dead_code.h"

namespace hexquant::passes {
namespace {

using graph::Graph;

constexpr float kDataScale = 0.02F;
constexpr float kOutputScale = 0.05F;

struct Layer {
  bool shared = true;  ///< the bias comes through an Identity
  bool per_channel = true;
  float bias = 0.5F;
  float weight_scale = 0.01F;
  bool quantized_weight = true;
  bool float_output = false;
};

Tensor zero_point(std::uint8_t value) {
  return Tensor::scalar(value);
}

/// x -> Q -> DQ -> Conv(DQ(w), b) -> Q -> DQ -> y, as quantizers of a torch export write it.
Graph qdq_conv(const Layer& layer) {
  Graph graph = test::empty_graph(17);
  graph.add_input("x", test::float_type({1, 2, 5, 5}));
  graph.add_initializer("xs", Tensor::scalar(kDataScale));
  graph.add_initializer("xz", zero_point(100));
  graph.add_node({"QuantizeLinear", {"x", "xs", "xz"}, {"xq"}, {}, "xQ"});
  graph.add_node({"DequantizeLinear", {"xq", "xs", "xz"}, {"xd"}, {}, "xD"});
  Tensor codes(DType::kInt8, {3, 2, 3, 3});
  std::int8_t code = -120;
  for (std::int8_t& value : codes.mutable_data<std::int8_t>()) {
    value = code = static_cast<std::int8_t>(code + 29);
  }
  graph.add_initializer("wq", codes);
  const float s = layer.weight_scale;
  graph.add_initializer(
      "ws", layer.per_channel ? test::floats({3}, {s, 2 * s, 3 * s}) : Tensor::scalar(s));
  std::string weight = "w";
  if (layer.quantized_weight) {
    graph::Attributes axis;
    if (layer.per_channel) axis["axis"] = std::int64_t{0};
    graph.add_node({"DequantizeLinear", {"wq", "ws"}, {"w"}, axis, "wD"});
  } else {
    graph.add_initializer("w", test::random_floats({3, 2, 3, 3}, 4));
  }
  graph.add_initializer("bias", test::floats({3}, {layer.bias, -0.25F, 0.125F}));
  std::string bias = "bias";
  if (layer.shared) {
    bias = "shared";
    graph.add_node({"Identity", {"bias"}, {bias}, {}, "identity"});
  }
  const std::string out = layer.float_output ? "y" : "conv_out";
  graph.add_node({"Conv", {"xd", weight, bias}, {out}, {}, "conv"});
  if (!layer.float_output) {
    graph.add_initializer("ys", Tensor::scalar(kOutputScale));
    graph.add_initializer("yz", zero_point(128));
    graph.add_node({"QuantizeLinear", {"conv_out", "ys", "yz"}, {"yq"}, {}, "yQ"});
    graph.add_node({"DequantizeLinear", {"yq", "ys", "yz"}, {"y"}, {}, "yD"});
  }
  graph.add_output("y");
  graph.set_type("y", test::float_type({1, 3, 3, 3}));
  return graph;
}

TEST(QuantizeBiases, SharedFloatBiasBecomesInt32) {
  for (const bool per_channel : {false, true}) {
    Layer layer;
    layer.per_channel = per_channel;
    const Graph original = qdq_conv(layer);
    Graph graph = original;
    EXPECT_EQ(quantize_biases(graph).applied_to, std::vector<std::string>{"conv"});
    const graph::Node* conv = nullptr;
    for (const graph::Node& node : graph.nodes()) {
      if (node.is("Conv")) conv = &node;
    }
    const graph::Node* bias = graph.producer(conv->input(2));
    ASSERT_NE(bias, nullptr);
    const Tensor& codes = *graph.find_initializer(bias->input(0));
    EXPECT_EQ(codes.dtype(), DType::kInt32);
    // 0.5 / (0.02 * 0.01) = 2500; -0.25 / (0.02 * 0.02) = -625, or -1250 with one scale.
    EXPECT_EQ(codes.data<std::int32_t>()[0], 2500);
    EXPECT_EQ(codes.data<std::int32_t>()[1], per_channel ? -625 : -1250);
    (void)remove_dead_code(graph);
    EXPECT_EQ(graph.find_initializer("bias"), nullptr) << "nobody reads it";
    graph.sort();
    // At most one step of the output where a sum lies on a border between two codes.
    test::expect_same_outputs(original, graph, 1.01 * static_cast<double>(kOutputScale));
  }
}

TEST(QuantizeBiases, KeepsTheFunctionWithinHalfABiasStep) {
  Layer layer;
  layer.float_output = true;
  layer.shared = false;
  const Graph original = qdq_conv(layer);
  Graph graph = original;
  EXPECT_EQ(quantize_biases(graph).applied_to.size(), 1U);
  graph.sort();
  const double largest_scale = 3.0 * static_cast<double>(layer.weight_scale * kDataScale);
  test::expect_same_outputs(original, graph, largest_scale / 2 + 1e-6);
}

TEST(QuantizeBiases, BiasesThatWereQuantizedLikeActivationsAreComputed) {
  Layer layer;
  layer.float_output = true;
  Graph original = qdq_conv(layer);
  original.add_initializer("bs", Tensor::scalar(0.01F));
  original.add_initializer("bz", zero_point(100));
  const graph::Node& conv = *original.producer("y");
  original.insert_before(conv, {"QuantizeLinear", {"shared", "bs", "bz"}, {"bq"}, {}, "bQ"});
  original.insert_before(conv, {"DequantizeLinear", {"bq", "bs", "bz"}, {"bd"}, {}, "bD"});
  original.set_input(conv, 2, "bd");
  original.sort();
  Graph graph = original;
  EXPECT_EQ(quantize_biases(graph).applied_to, std::vector<std::string>{"conv"});
  EXPECT_TRUE(quantize_biases(graph).applied_to.empty()) << "int32 already";
  graph.sort();
  test::expect_same_outputs(original, graph, 3.0 * 0.01 * 0.02 / 2 + 1e-6);
}

TEST(QuantizeBiases, CodesUnderTheScaleOfAnotherLayerAreNotTheirs) {
  Layer layer;
  layer.per_channel = false;
  layer.float_output = true;
  Graph original = qdq_conv(layer);
  // 0.5, -0.25, 0.125 under a scale that is twice this layer's.
  original.add_initializer(
      "bq", Tensor::from<std::int32_t>({3}, std::vector<std::int32_t>{1250, -625, 312}));
  original.add_initializer("bs", Tensor::scalar(2.0F * kDataScale * layer.weight_scale));
  const graph::Node& conv = *original.producer("y");
  original.insert_before(conv, {"DequantizeLinear", {"bq", "bs"}, {"bd"}, {}, "bD"});
  original.set_input(conv, 2, "bd");
  original.sort();
  Graph graph = original;
  EXPECT_EQ(quantize_biases(graph).applied_to, std::vector<std::string>{"conv"});
  const graph::Node& bias = *graph.producer(graph.producer("y")->input(2));
  EXPECT_EQ(graph.find_initializer(bias.input(0))->data<std::int32_t>()[0], 2500);
  graph.sort();
  test::expect_same_outputs(original, graph, 1e-5);
}

TEST(QuantizeBiases, LeavesFloatLayersAlone) {
  Layer layer;
  layer.shared = false;
  layer.quantized_weight = false;
  Graph graph = qdq_conv(layer);
  EXPECT_TRUE(quantize_biases(graph).applied_to.empty());
}

TEST(QuantizeBiases, WouldChangeTheOutput) {
  // 2e7 / (0.02 * 1e-5) = 1e14 does not fit 32 bits: clamped, the output would be another.
  Layer layer;
  layer.shared = false;
  layer.bias = 2e7F;
  layer.weight_scale = 1e-5F;
  Graph graph = qdq_conv(layer);
  const PassReport report = quantize_biases(graph);
  EXPECT_TRUE(report.applied_to.empty());
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "bias-stays-float");
}

TEST(DropBorderConversions, CodesInCodesOut) {
  const Graph original = qdq_conv({});
  Graph graph = original;
  std::vector<BorderEncoding> encodings;
  EXPECT_EQ(drop_border_conversions(graph, encodings).applied_to,
            (std::vector<std::string>{"x", "y"}));
  graph.sort();
  ASSERT_EQ(encodings.size(), 2U);
  EXPECT_EQ(encodings[0].value, "x");
  EXPECT_EQ(encodings[0].zero_point, 100);
  EXPECT_NEAR(encodings[0].scale, static_cast<double>(kDataScale), 1e-9);
  EXPECT_EQ(encodings[1].zero_point, 128);
  EXPECT_EQ(graph.find_type("x")->dtype, DType::kUInt8);
  EXPECT_EQ(graph.inputs(), original.inputs());
  EXPECT_EQ(graph.outputs(), original.outputs());

  const auto feeds = test::random_feeds(original, 3);
  const auto x = feeds.at("x").data<float>();
  Tensor codes(DType::kUInt8, feeds.at("x").shape());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float code = std::nearbyint(x[i] / kDataScale) + 100.0F;
    codes.mutable_data<std::uint8_t>()[i] =
        static_cast<std::uint8_t>(std::min(std::max(code, 0.0F), 255.0F));
  }
  const auto expected = test::run_graph(original, feeds)[0];
  const auto actual = test::run_graph(graph, {{"x", codes}})[0];
  ASSERT_EQ(actual.dtype(), DType::kUInt8);
  for (std::size_t i = 0; i < expected.data<float>().size(); ++i) {
    const float value =
        (static_cast<float>(actual.data<std::uint8_t>()[i]) - 128.0F) * kOutputScale;
    EXPECT_NEAR(expected.data<float>()[i], value, 1e-6F);
  }
}

TEST(DropBorderConversions, StaysWhereAFloatIsReadOrComputed) {
  Layer layer;
  layer.float_output = true;
  Graph graph = qdq_conv(layer);
  graph.add_node({"Relu", {"x"}, {"z"}, {}, "relu"});
  graph.add_output("z");
  std::vector<BorderEncoding> encodings;
  EXPECT_TRUE(drop_border_conversions(graph, encodings).applied_to.empty());
  EXPECT_TRUE(encodings.empty());
}

TEST(DropBorderConversions, WouldChangeTheOutput) {
  // Two quantizations of one input with different scales: codes of one are not those of the other.
  Graph graph = qdq_conv({});
  graph.add_initializer("xs2", Tensor::scalar(0.5F));
  graph.add_node({"QuantizeLinear", {"x", "xs2", "xz"}, {"xq2"}, {}, "xQ2"});
  graph.add_node({"DequantizeLinear", {"xq2", "xs2", "xz"}, {"z"}, {}, "xD2"});
  graph.add_output("z");
  std::vector<BorderEncoding> encodings;
  const PassReport report = drop_border_conversions(graph, encodings);
  EXPECT_EQ(std::count(report.applied_to.begin(), report.applied_to.end(), "x"), 0);
}

}  // namespace
}  // namespace hexquant::passes
