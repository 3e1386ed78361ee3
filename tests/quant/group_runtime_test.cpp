// Group-quantized weights against ONNX Runtime's DequantizeLinear with block_size, bit for bit.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "quant/fake_quant.h"
#include "quant/group_testing.h"
#include "quant/insert_qdq.h"
#include "runtime/session.h"

namespace hexquant::quant {
namespace {

using graph::Graph;
using test::group_encoding;
using test::random_tensor;

struct Layer {
  const char* name;
  const char* op;
  Shape input;
  Shape weight;
  int axis;
  bool transposed = false;
};

class GroupLayer : public testing::TestWithParam<Layer> {};

/// x -> layer(w) -> y, and the weight alone: w * one -> read.
Graph layer_graph(const Layer& layer) {
  Graph graph;
  graph.opsets[""] = 21;
  graph.add_input("x", test::float_type(layer.input));
  graph.add_initializer("w", random_tensor(layer.weight, 3));
  graph.add_initializer("one", Tensor::scalar<float>(1.0F));
  graph::Attributes attributes;
  if (layer.transposed) attributes["transB"] = std::int64_t{1};
  graph.add_node({layer.op, {"x", "w"}, {"y"}, attributes, "layer", ""});
  graph.add_node({"Mul", {"w", "one"}, {"read"}, {}, "reader", ""});
  graph.add_output("y");
  graph.add_output("read");
  return graph;
}

void expect_equal(const Tensor& found, const Tensor& expected) {
  ASSERT_EQ(found.shape(), expected.shape());
  for (std::size_t i = 0; i < expected.data<float>().size(); ++i) {
    ASSERT_EQ(found.data<float>()[i], expected.data<float>()[i]) << "element " << i;
  }
}

TEST_P(GroupLayer, FakeQuantizationEqualsOnnxRuntime) {
  const Layer& layer = GetParam();
  const Graph graph = layer_graph(layer);
  const Tensor input = random_tensor(layer.input, 4);
  for (const DType type : {DType::kInt4, DType::kInt8}) {
    for (const bool two_levels : {false, true}) {
      SCOPED_TRACE(dtype_name(type) + (two_levels ? " lpbq" : ""));
      EncodingTable encodings;
      const Encoding& encoding = encodings.tensors["w"] =
          group_encoding(layer.weight, layer.axis, 16, type, two_levels);
      const Tensor expected = fake_quantize_tensor(*graph.find_initializer("w"), encoding);
      Graph rounded = graph;
      rounded.set_initializer("w", expected);
      const auto wanted = runtime::Session(rounded, {.optimize = false}).run({{"x", input}});
      const auto found =
          runtime::Session(insert_qdq(graph, encodings), {.optimize = false}).run({{"x", input}});
      expect_equal(found[1], expected);
      expect_equal(found[0], wanted[0]);
    }
  }
}

// The last ones end in a shorter block, which the HTP does not take but the format allows.
INSTANTIATE_TEST_SUITE_P(
    Layers, GroupLayer,
    testing::Values(Layer{"MatMul", "MatMul", {2, 3, 64}, {64, 5}, 0},
                    Layer{"Gemm", "Gemm", {3, 48}, {48, 7}, 0},
                    Layer{"GemmTransB", "Gemm", {3, 48}, {7, 48}, 1, true},
                    Layer{"Conv1x1", "Conv", {1, 32, 3, 3}, {6, 32, 1, 1}, 1},
                    Layer{"MatMulShortBlock", "MatMul", {2, 37}, {37, 5}, 0},
                    Layer{"GemmTransBShortBlock", "Gemm", {2, 37}, {5, 37}, 1, true}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(TwoLevelScales, FourBitCodesLieOnTheChannelsEightBitGrid) {
  const Shape shape = {64, 5};
  const Encoding encoding = group_encoding(shape, 0, 16, DType::kInt4, true);
  const Tensor weights = random_tensor(shape, 5);
  const Tensor values = fake_quantize_tensor(weights, encoding);
  const Tensor codes = quantize_tensor(weights, encoding);
  Encoding wide;
  wide.type = DType::kInt8;
  wide.symmetric = true;
  wide.granularity = Granularity::kChannel;
  wide.axis = 1;
  wide.scale = encoding.channel_scale;
  wide.zero_point.assign(wide.scale.size(), 0);
  expect_equal(fake_quantize_tensor(values, wide), values);
  const std::vector<double> narrow = to_doubles(codes);
  const std::vector<double> expanded = to_doubles(quantize_tensor(values, wide));
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    const std::size_t block = i / 5 / 16;
    EXPECT_EQ(expanded[i], narrow[i] * encoding.block_int_scale[block * 5 + i % 5]);
  }
}

TEST(TwoLevelScales, PartsMustMultiplyToTheScale) {
  const Shape shape = {32, 3};
  const Tensor weights = random_tensor(shape, 6);
  Encoding encoding = group_encoding(shape, 0, 16, DType::kInt4, true);
  encoding.scale[1] *= 1.5F;
  EXPECT_THROW((void)fake_quantize_tensor(weights, encoding), Error);
  encoding = group_encoding(shape, 0, 16, DType::kInt4, true);
  encoding.channel_scale.pop_back();
  EXPECT_THROW((void)fake_quantize_tensor(weights, encoding), Error);
  encoding = group_encoding(shape, 0, 16, DType::kInt4, true);
  encoding.block_int_scale.pop_back();
  EXPECT_THROW((void)fake_quantize_tensor(weights, encoding), Error);
}

}  // namespace
}  // namespace hexquant::quant
