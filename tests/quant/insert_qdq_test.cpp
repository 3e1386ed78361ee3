#include "quant/insert_qdq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "graph/graph.h"

namespace hexquant::quant {
namespace {

using graph::Graph;
using graph::Node;

Encoding tensor_encoding(DType type, float scale, std::int32_t zero_point) {
  Encoding encoding;
  encoding.type = type;
  encoding.scale = {scale};
  encoding.zero_point = {zero_point};
  return encoding;
}

graph::ValueType float_type(const Shape& shape) {
  graph::ValueType type;
  type.dtype = DType::kFloat32;
  type.shape.emplace();
  for (const std::int64_t dim : shape) type.shape->push_back({dim, ""});
  return type;
}

/// x -> Gemm(w, b) -> y -> Relu -> z (output), y also an output.
Graph gemm_graph(std::int64_t opset = 13) {
  Graph graph;
  graph.opsets[""] = opset;
  graph.add_input("x", float_type({1, 2}));
  graph.add_initializer("w", Tensor::from<float>({2, 2}, std::vector<float>{1, 2, 3, 4}));
  graph.add_initializer("b", Tensor::from<float>({2}, std::vector<float>{0.5F, -0.5F}));
  graph.add_node({"Gemm", {"x", "w", "b"}, {"y"}, {}, "gemm", ""});
  graph.add_node({"Relu", {"y"}, {"z"}, {}, "relu", ""});
  graph.add_output("z");
  graph.add_output("y");
  return graph;
}

const Node& only(const Graph& graph, const std::string& name) {
  const auto found = std::find_if(graph.nodes().begin(), graph.nodes().end(),
                                  [&](const Node& node) { return node.name() == name; });
  EXPECT_NE(found, graph.nodes().end()) << name;
  return *found;
}

int count_ops(const Graph& graph, const std::string& op_type) {
  return static_cast<int>(std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                        [&](auto& n) { return n.op_type() == op_type; }));
}

TEST(InsertQdq, WeightsBecomeIntegersWithOneDequantize) {
  EncodingTable encodings;
  encodings.tensors["w"] = tensor_encoding(DType::kInt8, 1.0F, 0);
  const Graph quantized = insert_qdq(gemm_graph(), encodings);
  EXPECT_EQ(count_ops(quantized, "QuantizeLinear"), 0);
  const Node* dequantize = quantized.producer(only(quantized, "gemm").input(1));
  ASSERT_NE(dequantize, nullptr);
  EXPECT_EQ(dequantize->op_type(), "DequantizeLinear");
  EXPECT_EQ(to_doubles(*quantized.find_initializer(dequantize->input(0))),
            (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(quantized.find_initializer("w"), nullptr);
}

TEST(InsertQdq, GraphOutputsKeepTheirNameBehindThePair) {
  EncodingTable encodings;
  encodings.tensors["y"] = tensor_encoding(DType::kUInt8, 0.1F, 128);
  const Graph quantized = insert_qdq(gemm_graph(), encodings);
  EXPECT_EQ(quantized.producer("y")->op_type(), "DequantizeLinear");
  EXPECT_EQ(only(quantized, "gemm").output(), "y_QuantizeLinear_Input");
  EXPECT_EQ(only(quantized, "relu").input(0), "y");
  EXPECT_EQ(quantized.outputs(), gemm_graph().outputs());
}

TEST(InsertQdq, InputsAreQuantizedBeforeTheirReaders) {
  EncodingTable encodings;
  encodings.tensors["x"] = tensor_encoding(DType::kUInt8, 0.1F, 128);
  const Graph quantized = insert_qdq(gemm_graph(), encodings);
  EXPECT_EQ(quantized.producer(only(quantized, "gemm").input(0))->op_type(), "DequantizeLinear");
  EXPECT_EQ(quantized.inputs(), (std::vector<std::string>{"x"}));
}

TEST(InsertQdq, EdgesGetASecondPairBehindTheFirst) {
  EncodingTable encodings;
  encodings.tensors["y"] = tensor_encoding(DType::kUInt8, 0.1F, 128);
  encodings.edges[{"relu", 0}] = tensor_encoding(DType::kUInt16, 0.001F, 100);
  const Graph quantized = insert_qdq(gemm_graph(21), encodings);
  const Node* outer = quantized.producer(only(quantized, "relu").input(0));
  const Node* quantize = quantized.producer(outer->input(0));
  EXPECT_EQ(quantize->op_type(), "QuantizeLinear");
  EXPECT_EQ(quantize->input(0), "y");
  EXPECT_EQ(quantized.find_initializer(outer->input(2))->dtype(), DType::kUInt16);
}

TEST(InsertQdq, EdgesFromConstantsStartBehindTheirDequantize) {
  EncodingTable encodings;
  encodings.tensors["w"] = tensor_encoding(DType::kInt8, 1.0F, 0);
  encodings.edges[{"gemm", 1}] = tensor_encoding(DType::kUInt16, 0.001F, 100);
  const Graph quantized = insert_qdq(gemm_graph(21), encodings);
  const Node* outer = quantized.producer(only(quantized, "gemm").input(1));
  const Node* quantize = quantized.producer(outer->input(0));
  const Node* inner = quantized.producer(quantize->input(0));
  ASSERT_NE(inner, nullptr);
  EXPECT_EQ(inner->op_type(), "DequantizeLinear");
  EXPECT_EQ(quantized.find_initializer(inner->input(0))->dtype(), DType::kInt8);
}

TEST(InsertQdq, SixteenBitsNeedOpset21OrTheContribDomain) {
  EncodingTable encodings;
  encodings.tensors["x"] = tensor_encoding(DType::kUInt16, 0.1F, 128);
  const Graph old = insert_qdq(gemm_graph(13), encodings);
  EXPECT_EQ(old.producer(only(old, "gemm").input(0))->domain(), "com.microsoft");
  EXPECT_EQ(old.opsets.at("com.microsoft"), 1);
  const Graph current = insert_qdq(gemm_graph(21), encodings);
  EXPECT_EQ(current.producer(only(current, "gemm").input(0))->domain(), "");
  EXPECT_FALSE(current.opsets.contains("com.microsoft"));
}

TEST(InsertQdq, BiasIsInt32WithoutZeroPoint) {
  EncodingTable encodings;
  encodings.tensors["b"] = tensor_encoding(DType::kInt32, 0.25F, 0);
  const Graph quantized = insert_qdq(gemm_graph(), encodings);
  const Node* dequantize = quantized.producer(only(quantized, "gemm").input(2));
  EXPECT_EQ(dequantize->inputs().size(), 2U);
  EXPECT_EQ(to_doubles(*quantized.find_initializer(dequantize->input(0))),
            (std::vector<double>{2, -2}));
}

TEST(InsertQdq, DoesNotChangeTheFloatGraph) {
  const Graph graph = gemm_graph();
  EncodingTable encodings;
  encodings.tensors["w"] = tensor_encoding(DType::kInt8, 1.0F, 0);
  (void)insert_qdq(graph, encodings);
  EXPECT_EQ(graph.nodes().size(), 2U);
  EXPECT_NE(graph.find_initializer("w"), nullptr);
}

}  // namespace
}  // namespace hexquant::quant
