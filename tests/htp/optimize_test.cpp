#include <gtest/gtest.h>

#include <string>

#include "formats/onnx/onnx_io.h"
#include "pipeline/compile_model.h"
#include "pipeline/optimize.h"
#include "support/htp.h"
#include "support/temp_folder.h"

namespace hexquant::pipeline {
namespace {

constexpr std::int64_t kChannels = 64;
constexpr std::int64_t kSide = 56;
constexpr int kLayers = 6;

graph::ValueType float_type(const Shape& shape) {
  graph::ValueType type{DType::kFloat32, std::vector<graph::Dim>{}};
  for (const std::int64_t dim : shape) type.shape->push_back({dim, ""});
  return type;
}

/// A chain of 3x3 convolutions as a quantizer leaves a torch export: data and weights are codes,
/// equal biases are one float tensor behind Identity nodes.
graph::Graph shared_biases() {
  graph::Graph graph;
  graph.info.graph_name = "shared";
  graph.opsets[""] = 17;
  graph.add_input("x", float_type({1, kChannels, kSide, kSide}));
  graph.add_initializer("s", Tensor::scalar(0.02F));
  graph.add_initializer("z", Tensor::scalar(std::uint8_t{128}));
  graph.add_initializer("ws", Tensor::scalar(0.001F));
  graph.add_initializer("bias",
                        Tensor::from<float>({kChannels}, std::vector<float>(kChannels, 0.25F)));
  std::string value = "x";
  for (int layer = 0; layer <= kLayers; ++layer) {
    const std::string n = std::to_string(layer);
    graph.add_node({"QuantizeLinear", {value, "s", "z"}, {"q" + n}, {}, "Q" + n});
    const bool is_last = layer == kLayers;
    const std::string data = is_last ? "y" : "d" + n;
    graph.add_node({"DequantizeLinear", {"q" + n, "s", "z"}, {data}, {}, "D" + n});
    if (is_last) break;
    Tensor codes(DType::kInt8, {kChannels, kChannels, 3, 3});
    std::uint32_t state = 7U + static_cast<std::uint32_t>(layer);
    for (std::int8_t& code : codes.mutable_data<std::int8_t>()) {
      state = state * 1664525U + 1013904223U;
      code = static_cast<std::int8_t>(state >> 24U);
    }
    graph.add_initializer("wq" + n, codes);
    graph.add_node({"DequantizeLinear", {"wq" + n, "ws"}, {"w" + n}, {}, "W" + n});
    graph.add_node({"Identity", {"bias"}, {"b" + n}, {}, "I" + n});
    value = "c" + n;
    graph.add_node({"Conv",
                    {data, "w" + n, "b" + n},
                    {value},
                    {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}},
                    "C" + n});
  }
  graph.add_output("y");
  graph.set_type("y", float_type({1, kChannels, kSide, kSide}));
  return graph;
}

TEST(HtpOptimize, SharedFloatBiasesBecomeInteger) {
  HEXQUANT_NEEDS_HTP();
  const test::TempFolder folder;
  OptimizeRequest request;
  request.model = (folder.path() / "shared.onnx").string();
  formats::write_onnx(shared_biases(), request.model);
  request.soc = "SA8255";
  request.estimate = true;
  request.quantized_io = true;
  request.nhwc_input = true;
  request.nhwc_output = true;
  const OptimizeResult result = optimize(request, 1, silent_progress());
  EXPECT_TRUE(result.check.passed());
  ASSERT_TRUE(result.after.vendor_us);
  EXPECT_LT(*result.after.vendor_us, 400.0);
  ASSERT_TRUE(result.before.vendor_us);
  EXPECT_LT(*result.after.vendor_us, 0.5 * *result.before.vendor_us);
}

TEST(HtpOptimize, LevelsInTheLayoutOfTheNpuPay) {
  HEXQUANT_NEEDS_HTP();
  const std::string digits = std::string(HEXQUANT_SOURCE_DIR) + "/examples/digits/";
  OptimizeRequest request;
  request.model = digits + "model.onnx";
  request.data.sources = {digits + "test_images.npy"};
  request.data.preprocess = digits + "preprocess.json";
  request.data.samples = 50;
  request.soc = "SA8255";
  request.estimate = true;
  request.nhwc_input = true;
  request.uint8_input = true;
  const OptimizeResult result = optimize(request, 1, silent_progress());
  EXPECT_TRUE(result.check.passed());
  ASSERT_TRUE(result.prepared.vendor_us);
  ASSERT_TRUE(result.after.vendor_us);
  EXPECT_LT(*result.after.vendor_us, *result.prepared.vendor_us);
  for (const RewriteResult& row : result.rewrites) {
    EXPECT_TRUE(row.vendor_gain_us) << row.name;
  }
}

}  // namespace
}  // namespace hexquant::pipeline
