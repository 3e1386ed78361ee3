#include "calibrate/layer_columns.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "calibrate/tap_views.h"
#include "hexquant/error.h"
#include "runtime/session.h"

namespace hexquant::calibrate {
namespace {

using graph::Attributes;
using graph::Graph;
using Ints = std::vector<std::int64_t>;

Tensor random_tensor(const Shape& shape, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = normal(random);
  return Tensor::from<float>(shape, values);
}

Graph layer_graph(const std::string& op, const Shape& input, const Shape& weight,
                  const Attributes& attributes, bool weight_first = false) {
  Graph graph;
  graph.opsets[""] = 13;
  graph::ValueType type{DType::kFloat32, std::vector<graph::Dim>{}};
  for (const std::int64_t dim : input) type.shape->push_back({dim, ""});
  graph.add_input("x", type);
  graph.add_initializer("w", random_tensor(weight, 2));
  const std::vector<std::string> inputs =
      weight_first ? std::vector<std::string>{"w", "x"} : std::vector<std::string>{"x", "w"};
  graph.add_node({op, inputs, {"y"}, attributes, "layer"});
  graph.set_type("y", {DType::kFloat32, std::nullopt});
  graph.add_output("y");
  return graph;
}

const graph::Node& layer(const Graph& graph) {
  return graph.nodes().front();
}

/// All columns of the input, from both layouts, which must agree.
std::vector<float> all_columns(const LayerColumns& columns, const Tensor& input) {
  Ints positions(static_cast<std::size_t>(columns.position_count(input.shape())));
  std::iota(positions.begin(), positions.end(), 0);
  std::vector<float> gathered;
  columns.gather(test::plain_view(input), positions, gathered);
  if (input.rank() == 4) {
    for (const std::int64_t block : {4, 16}) {
      const test::BlockedTensor blocked(input, block);
      std::vector<float> from_blocked;
      columns.gather(blocked.view(), positions, from_blocked);
      EXPECT_EQ(from_blocked, gathered);
    }
  }
  return gathered;
}

constexpr double kFloatSum = 1e-4;  // float sums of at most 100 products around 1

struct ConvCase {
  std::string op;
  Shape input;
  Shape weight;
  Attributes attributes;
};

/// Weights times columns must give what ONNX Runtime computes.
void expect_convolution(const ConvCase& c) {
  SCOPED_TRACE(c.op + shape_text(c.input) + shape_text(c.weight));
  const Graph graph = layer_graph(c.op, c.input, c.weight, c.attributes);
  const Tensor input = random_tensor(c.input, 1);
  const Tensor output = runtime::Session(graph, {}).run({{"x", input}}).front();
  const LayerColumns columns(graph, layer(graph));
  const std::vector<float> gathered = all_columns(columns, input);
  const bool transposed = c.op == "ConvTranspose";
  const std::int64_t groups = columns.groups();
  const std::int64_t kernel = columns.kernel();
  const std::int64_t group_in = columns.channels() / groups;
  const std::int64_t outputs = transposed ? c.weight[1] * groups : c.weight[0];
  const std::int64_t group_out = outputs / groups;
  ASSERT_EQ(output.shape()[1], outputs);
  const std::int64_t plane = output.size() / output.shape()[0] / outputs;
  ASSERT_EQ(columns.position_count(c.input), output.shape()[0] * plane);
  const auto weight = graph.find_initializer("w")->data<float>();
  for (std::int64_t i = 0; i < output.size(); ++i) {
    const std::int64_t m = i / plane % outputs;
    const std::int64_t position = i / plane / outputs * plane + i % plane;
    double sum = 0.0;
    for (std::int64_t ch = 0; ch < group_in; ++ch) {
      for (std::int64_t k = 0; k < kernel; ++k) {
        const std::int64_t channel = m / group_out * group_in + ch;
        const std::int64_t w = transposed ? (channel * group_out + m % group_out) * kernel + k
                                          : (m * group_in + ch) * kernel + k;
        const std::int64_t x = (position * kernel + k) * columns.channels() + channel;
        sum += double{weight[static_cast<std::size_t>(w)]} * gathered[static_cast<std::size_t>(x)];
      }
    }
    const double got = output.data<float>()[static_cast<std::size_t>(i)];
    ASSERT_TRUE(std::abs(got - sum) <= kFloatSum) << "output " << i << ": " << got << ", " << sum;
  }
}

TEST(LayerColumns, ConvolutionsOfAllForms) {
  const std::string upper = "SAME_UPPER";
  const std::string lower = "SAME_LOWER";
  expect_convolution({"Conv", {2, 3, 5, 6}, {4, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}});
  expect_convolution({"Conv", {1, 5, 7, 7}, {2, 5, 1, 1}, {}});
  expect_convolution({"Conv",
                      {1, 4, 9, 8},
                      {6, 2, 3, 2},
                      {{"group", 2L}, {"strides", Ints{2, 3}}, {"pads", Ints{0, 1, 2, 1}}}});
  expect_convolution(
      {"Conv", {2, 6, 8, 8}, {6, 1, 3, 3}, {{"group", 6L}, {"dilations", Ints{2, 1}}}});
  expect_convolution(
      {"Conv", {1, 3, 7, 8}, {2, 3, 3, 4}, {{"auto_pad", upper}, {"strides", Ints{2, 2}}}});
  expect_convolution(
      {"Conv", {1, 3, 7, 8}, {2, 3, 3, 4}, {{"auto_pad", lower}, {"strides", Ints{2, 2}}}});
  expect_convolution({"Conv", {1, 2, 6, 6}, {3, 2, 3, 3}, {{"auto_pad", std::string("VALID")}}});
  expect_convolution({"Conv", {2, 3, 11}, {4, 3, 5}, {{"strides", Ints{2}}, {"pads", Ints{2, 1}}}});
}

TEST(LayerColumns, TransposedConvolutionsOfAllForms) {
  expect_convolution({"ConvTranspose", {2, 3, 4, 5}, {3, 4, 3, 3}, {{"strides", Ints{2, 2}}}});
  expect_convolution({"ConvTranspose",
                      {1, 4, 4, 3},
                      {4, 2, 3, 2},
                      {{"group", 2L},
                       {"strides", Ints{3, 2}},
                       {"pads", Ints{1, 0, 0, 1}},
                       {"output_padding", Ints{1, 1}},
                       {"dilations", Ints{1, 2}}}});
  expect_convolution({"ConvTranspose",
                      {1, 2, 3, 3},
                      {2, 2, 3, 3},
                      {{"strides", Ints{2, 2}}, {"output_shape", Ints{6, 6}}}});
  expect_convolution({"ConvTranspose",
                      {1, 2, 3, 3},
                      {2, 2, 3, 3},
                      {{"strides", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}});
  expect_convolution({"ConvTranspose", {1, 2, 6}, {2, 3, 4}, {{"strides", Ints{2}}}});
}

TEST(LayerColumns, RowsAndColumnsOfMatrices) {
  const auto check = [](const std::string& op, const Shape& input, const Shape& weight,
                        const Attributes& attributes, bool weight_first, const Shape& expected_of) {
    const Graph graph = layer_graph(op, input, weight, attributes, weight_first);
    const LayerColumns columns(graph, layer(graph));
    EXPECT_EQ(columns.input(), "x");
    const std::int64_t count = columns.position_count(input);
    EXPECT_EQ(Shape({count, columns.channels()}), expected_of);
    return all_columns(columns, random_tensor(input, 1));
  };
  const auto row_major = [](const Tensor& tensor) {
    const auto data = tensor.data<float>();
    return std::vector<float>(data.begin(), data.end());
  };
  EXPECT_EQ(check("Gemm", {3, 5}, {5, 2}, {}, false, {3, 5}), row_major(random_tensor({3, 5}, 1)));
  EXPECT_EQ(check("Gemm", {3, 5}, {2, 5}, {{"transB", 1L}}, false, {3, 5}),
            row_major(random_tensor({3, 5}, 1)));
  EXPECT_EQ(check("MatMul", {2, 1, 3, 4}, {4, 6}, {}, false, {6, 4}),
            row_major(random_tensor({2, 1, 3, 4}, 1)));
  // Columns of x [K, N]: element (n, k) is x[k, n].
  const std::vector<float> x = row_major(random_tensor({3, 2}, 1));
  const std::vector<float> transposed = {x[0], x[2], x[4], x[1], x[3], x[5]};
  EXPECT_EQ(check("Gemm", {3, 2}, {3, 4}, {{"transA", 1L}}, false, {2, 3}), transposed);
  EXPECT_EQ(check("MatMul", {3, 2}, {4, 3}, {}, true, {2, 3}), transposed);
}

TEST(LayerColumns, NamesWhatItCannotRead) {
  const auto message = [](const Graph& graph) {
    try {
      const LayerColumns columns(graph, layer(graph));
      return std::string("no error");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      return std::string(error.what());
    }
  };
  EXPECT_NE(message(layer_graph("Add", {1, 2}, {1, 2}, {})).find("'layer' is a Add"),
            std::string::npos);
  EXPECT_NE(message(layer_graph("Conv", {1, 2, 4, 4, 4}, {1, 2, 2, 2, 2}, {})).find("3 spatial"),
            std::string::npos);
  const Graph graph = layer_graph("Conv", {1, 3, 4, 4}, {2, 3, 1, 1}, {});
  EXPECT_THROW((void)LayerColumns(graph, layer(graph)).position_count({1, 4, 4, 4}), Error);
}

}  // namespace
}  // namespace hexquant::calibrate
