#include "quant/matmul_nbits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "quant/group_testing.h"
#include "quant/insert_qdq.h"
#include "runtime/session.h"

namespace hexquant::quant {
namespace {

using graph::Graph;
using graph::Node;
using test::group_encoding;
using test::random_tensor;
using ::testing::HasSubstr;

/// Sums of a few hundred float products in another order, relative to the largest output.
constexpr double kReorderedSumTolerance = 2e-6;

struct Product {
  const char* name;
  const char* op;
  Shape input;
  Shape weight;  ///< [K, N], or [N, K] when transposed
  bool transposed;
  std::int64_t block;
  DType type;

  [[nodiscard]] int axis() const { return transposed ? 1 : 0; }
};

/// x -> Q/DQ -> product with group-quantized w -> y.
Graph quantized_product(const Product& product, graph::Attributes attributes = {},
                        const std::vector<std::string>& more_inputs = {}) {
  Graph graph;
  graph.opsets[""] = 21;
  graph.add_input("x", test::float_type(product.input));
  graph.add_initializer("w", random_tensor(product.weight, 3));
  graph.add_initializer("b", random_tensor({product.weight[1 - product.axis()]}, 5));
  if (product.transposed) attributes["transB"] = std::int64_t{1};
  std::vector<std::string> inputs = {"x", "w"};
  inputs.insert(inputs.end(), more_inputs.begin(), more_inputs.end());
  graph.add_node({product.op, inputs, {"y"}, attributes, "layer", ""});
  graph.add_output("y");
  EncodingTable encodings;
  encodings.tensors["x"] = encoding_from_range({-3.0F, 3.0F}, DType::kUInt16, false);
  encodings.tensors["w"] =
      group_encoding(product.weight, product.axis(), product.block, product.type);
  return insert_qdq(graph, encodings);
}

const Node* find_op(const Graph& graph, const std::string& op) {
  for (const Node& node : graph.nodes()) {
    if (node.op_type() == op) return &node;
  }
  return nullptr;
}

class MatMulNBits : public testing::TestWithParam<Product> {};

TEST_P(MatMulNBits, ComputesWhatTheQdqFormComputes) {
  const Product& product = GetParam();
  const Graph qdq = quantized_product(product);
  const Graph packed = use_matmul_nbits(qdq);
  const Node* node = find_op(packed, "MatMulNBits");
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->domain(), "com.microsoft");
  EXPECT_EQ(node->name(), "layer");
  EXPECT_EQ(packed.opsets.at("com.microsoft"), 1);
  EXPECT_EQ(node->find_attribute("accuracy_level"), nullptr);
  const std::int64_t inputs = product.weight[static_cast<std::size_t>(product.axis())];
  const std::int64_t outputs = product.weight[static_cast<std::size_t>(1 - product.axis())];
  const std::int64_t blocks = (inputs + product.block - 1) / product.block;
  EXPECT_EQ(node->int_attribute("K", 0), inputs);
  EXPECT_EQ(node->int_attribute("N", 0), outputs);
  EXPECT_EQ(packed.find_initializer(node->input(1))->shape(),
            (Shape{outputs, blocks, product.block * dtype_bits(product.type) / 8}));
  EXPECT_EQ(packed.find_initializer(node->input(2))->shape(), Shape{outputs * blocks});

  const Tensor input = random_tensor(product.input, 4);
  const Tensor wanted = runtime::Session(qdq, {.optimize = false}).run({{"x", input}})[0];
  for (const bool optimize : {false, true}) {
    const Tensor found = runtime::Session(packed, {.optimize = optimize}).run({{"x", input}})[0];
    ASSERT_EQ(found.shape(), wanted.shape());
    double largest = 0.0;
    double difference = 0.0;
    for (std::size_t i = 0; i < wanted.data<float>().size(); ++i) {
      largest = std::max(largest, std::abs(double{wanted.data<float>()[i]}));
      difference = std::max(
          difference, std::abs(double{wanted.data<float>()[i]} - double{found.data<float>()[i]}));
    }
    EXPECT_LE(difference, kReorderedSumTolerance * largest);
    EXPECT_GT(largest, 1.0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Products, MatMulNBits,
    testing::Values(
        Product{"MatMul4", "MatMul", {1, 3, 64}, {64, 5}, false, 16, DType::kInt4},
        Product{"MatMul4Block128", "MatMul", {2, 256}, {256, 9}, false, 128, DType::kInt4},
        Product{"MatMul8", "MatMul", {1, 3, 64}, {64, 5}, false, 32, DType::kInt8},
        Product{"MatMul4ShortBlock", "MatMul", {2, 37}, {37, 5}, false, 16, DType::kInt4},
        Product{"Gemm4", "Gemm", {3, 48}, {48, 7}, false, 16, DType::kInt4},
        Product{"Gemm4TransB", "Gemm", {3, 48}, {7, 48}, true, 16, DType::kInt4},
        Product{"Gemm8TransB", "Gemm", {3, 64}, {7, 64}, true, 64, DType::kInt8}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(UseMatMulNBits, PacksLowNibblesFirstWithZeroAtEight) {
  Graph graph;
  graph.opsets[""] = 21;
  graph.add_input("x", test::float_type({1, 16}));
  std::vector<float> weights(16 * 2, 0.0F);
  weights[0] = 7.0F;           // k 0, n 0
  weights[2] = -8.0F;          // k 1, n 0
  weights[15 * 2 + 1] = 1.0F;  // k 15, n 1
  graph.add_initializer("w", Tensor::from<float>({16, 2}, weights));
  graph.add_node({"MatMul", {"x", "w"}, {"y"}, {}, "layer", ""});
  graph.add_output("y");
  EncodingTable encodings;
  encodings.tensors["w"] = group_encoding({16, 2}, 0, 16, DType::kInt4);
  encodings.tensors["w"].scale = {1.0F, 1.0F};
  const Graph packed = use_matmul_nbits(insert_qdq(graph, encodings));
  const auto bytes =
      packed.find_initializer(find_op(packed, "MatMulNBits")->input(1))->data<std::uint8_t>();
  EXPECT_EQ(bytes[0], 0x0F);
  EXPECT_EQ(bytes[1], 0x88);
  EXPECT_EQ(bytes[15], 0x98);
  EXPECT_EQ(find_op(packed, "DequantizeLinear"), nullptr);
  EXPECT_EQ(packed.initializers().size(), 2U);
}

TEST(UseMatMulNBits, ReadersShareOneWeight) {
  Graph graph;
  graph.opsets[""] = 21;
  graph.add_input("x", test::float_type({3, 32}));
  graph.add_initializer("w", random_tensor({32, 6}, 3));
  graph.add_node({"MatMul", {"x", "w"}, {"y"}, {}, "first", ""});
  graph.add_node({"MatMul", {"x", "w"}, {"z"}, {}, "second", ""});
  graph.add_output("y");
  graph.add_output("z");
  EncodingTable encodings;
  encodings.tensors["w"] = group_encoding({32, 6}, 0, 32, DType::kInt4);
  const Graph packed = use_matmul_nbits(insert_qdq(graph, encodings));
  EXPECT_EQ(packed.initializers().size(), 2U);
  EXPECT_EQ(packed.nodes().size(), 2U);
}

TEST(UseMatMulNBits, LeavesWhatTheOperatorCannotSay) {
  const Product gemm{"", "Gemm", {3, 32}, {32, 6}, false, 16, DType::kInt4};
  EXPECT_EQ(find_op(use_matmul_nbits(quantized_product(gemm, {}, {"b"})), "MatMulNBits"), nullptr);
  EXPECT_EQ(find_op(use_matmul_nbits(quantized_product(gemm, {{"alpha", 0.5F}})), "MatMulNBits"),
            nullptr);
  const Product turned{"", "Gemm", {32, 3}, {32, 6}, false, 16, DType::kInt4};
  EXPECT_EQ(find_op(use_matmul_nbits(quantized_product(turned, {{"transA", std::int64_t{1}}})),
                    "MatMulNBits"),
            nullptr);
  const Product across{"", "MatMul", {6, 32}, {32, 48}, false, 16, DType::kInt4};
  Graph graph = quantized_product(across);
  for (const Node* node : graph.node_list()) {
    if (node->int_attribute("block_size", 0) > 0)
      graph.set_attribute(*node, "axis", std::int64_t{1});
  }
  EXPECT_EQ(find_op(use_matmul_nbits(graph), "MatMulNBits"), nullptr);
}

TEST(UseMatMulNBits, RefusesBlocksThatAreNoPowerOfTwo) {
  EXPECT_TRUE(is_nbits_block(16));
  EXPECT_TRUE(is_nbits_block(256));
  for (const std::int64_t size : {-16, 0, 1, 8, 24, 48}) EXPECT_FALSE(is_nbits_block(size)) << size;
  try {
    (void)use_matmul_nbits(
        quantized_product({"", "MatMul", {2, 96}, {96, 5}, false, 48, DType::kInt4}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("node 'layer': MatMulNBits takes no blocks of 48"));
  }
}

}  // namespace
}  // namespace hexquant::quant
