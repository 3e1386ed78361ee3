#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/qnn/framework_trace.h"
#include "formats/qnn/provider_log.h"
#include "formats/qnn/qnn_graph.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kFolder =
    std::filesystem::path(HEXQUANT_SOURCE_DIR) / "tests/formats/qnn";

template <typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    return error.what();
  }
  return "no error";
}

// The file was written by the vendor's provider for examples/digits.
TEST(FrameworkTrace, ReadsOperationsAndTheirSources) {
  const FrameworkTrace trace = read_framework_trace(kFolder / "digits_trace.json");
  ASSERT_EQ(trace.graphs.size(), 1U);
  ASSERT_EQ(trace.graphs[0].ops.size(), 3U);
  const TracedOp& conv = trace.graphs[0].ops[1];
  EXPECT_EQ(conv.name, "/stem/stem.0/Conv_token_1");
  EXPECT_EQ(conv.type, "Conv2d");
  EXPECT_THAT(conv.source_nodes, Contains("/stem/stem.2/Relu"));
  EXPECT_THAT(conv.source_values, Contains("Transpose_out0"));
  ASSERT_EQ(trace.unsupported.size(), 2U);
  EXPECT_EQ(trace.unsupported[0].op_type, "QuantizeLinear");
  EXPECT_THAT(trace.unsupported[0].reason, HasSubstr("consume a graph input"));
}

TEST(FrameworkTrace, RefusesAnotherVersionAndMissingKeysWithTheirPath) {
  EXPECT_THAT(message_of([] {
                static_cast<void>(parse_framework_trace(R"({"schema_version": 3})", "t.json"));
              }),
              HasSubstr("t.json: schema_version: expected a whole number from 2 to 2, got 3"));
  const char* missing = R"({"schema_version": 2, "unsupported_nodes": [],
      "subgraph_traces": [{"graph_name": "g", "op_mappings": [{"dst_name": "a"}]}]})";
  EXPECT_THAT(message_of([&] { static_cast<void>(parse_framework_trace(missing, "t.json")); }),
              AllOf(HasSubstr("subgraph_traces[0].op_mappings[0]"), HasSubstr("dst_qnn_op_type")));
  EXPECT_THAT(message_of([] { static_cast<void>(parse_framework_trace("[", "t.json")); }),
              HasSubstr("t.json:1:"));
}

TEST(FrameworkTrace, MapsNamesBackToTheFile) {
  EXPECT_EQ(onnx_node_name("conv_token_12"), "conv");
  EXPECT_EQ(onnx_node_name("dq/duplicated"), "dq");
  EXPECT_EQ(onnx_node_name("matmul/MatMulAddFusion"), "matmul");
  EXPECT_EQ(onnx_node_name("dq_token_3/duplicated"), "dq");
  EXPECT_EQ(onnx_node_name("layer_12"), "layer_12");
  EXPECT_EQ(onnx_node_name("x_token_"), "x_token_");
}

TEST(QnnGraph, ReadsTypesAndEncodings) {
  const QnnGraph graph = read_qnn_graph(kFolder / "digits_graph.json");
  ASSERT_EQ(graph.nodes.size(), 2U);
  const QnnNode& conv = graph.nodes[0];
  EXPECT_EQ(conv.type, "Conv2d");
  ASSERT_EQ(conv.inputs.size(), 3U);
  const QnnTensor& input = graph.tensors.at(conv.inputs[0]);
  EXPECT_EQ(qnn_type_name(input.type), "uint8");
  EXPECT_THAT(input.dims, ElementsAre(1, 16, 16, 1));
  EXPECT_EQ(input.encoding, QnnEncoding::kTensor);
  EXPECT_GT(input.scale, 0.0);
  const QnnTensor& weight = graph.tensors.at(conv.inputs[1]);
  EXPECT_TRUE(weight.is_static);
  EXPECT_EQ(qnn_type_name(weight.type), "int8");
  EXPECT_EQ(weight.encoding, QnnEncoding::kChannel);
  EXPECT_EQ(qnn_type_name(graph.tensors.at(conv.inputs[2]).type), "int32");
}

// Values of the public enumeration Qnn_DataType_t.
TEST(QnnGraph, KnowsTheCodesOfTypes) {
  EXPECT_EQ(qnn_type_name(qnn_data_type(0x0232)), "float32");
  EXPECT_EQ(qnn_type_name(qnn_data_type(0x0216)), "float16");
  EXPECT_EQ(qnn_type_name(qnn_data_type(0x0408)), "uint8");
  EXPECT_EQ(qnn_type_name(qnn_data_type(0x0316)), "int16");
  EXPECT_EQ(qnn_type_name(qnn_data_type(0x0304)), "int4");
  EXPECT_EQ(qnn_type_name(qnn_data_type(0x0032)), "index32");
  EXPECT_EQ(qnn_type_name(qnn_data_type(0x0508)), "bool");
  EXPECT_EQ(qnn_data_type(0x0999).kind, QnnNumberKind::kUndefined);
  EXPECT_EQ(qnn_data_type(-1).kind, QnnNumberKind::kUndefined);
}

TEST(QnnGraph, RefusesTensorsThatAreNotListed) {
  const char* text = R"({"graph": {"tensors": {}, "nodes": {"n": {"type": "Relu",
      "input_names": ["x"], "output_names": []}}}})";
  EXPECT_THAT(message_of([&] { static_cast<void>(parse_qnn_graph(text, "g.json")); }),
              HasSubstr("g.json: graph.nodes.n.input_names[0]: expected the name of a listed"));
}

TEST(ProviderLog, ReadsVerdictsNodesAndReasons) {
  const ProviderLog log = parse_provider_log(
      "noise\n"
      "\x1b[0;93m2026 [V:onnxruntime:, x.cc:1 LogNodeSupport] Validation FAILED for 2 nodes in "
      "OrtNodeUnit (Conv) :\x1b[m\n"
      "\tOperator type: DequantizeLinear Node name: dq Node index: 2\n"
      "\tOperator type: Conv Node name: conv_token_1 Node index: 16\n"
      "\tREASON : QNN EP: BQ Conv scale size mismatch\n"
      "\n"
      "\tOperator type: Add Node name: stray Node index: 3\n"
      "Validation PASSED for 1 nodes in OrtNodeUnit (Relu) :\n"
      "\tOperator type: Relu Node name: relu Node index: 4\n");
  ASSERT_EQ(log.units.size(), 2U);
  EXPECT_FALSE(log.units[0].passed);
  EXPECT_EQ(log.units[0].op_type, "Conv");
  EXPECT_THAT(log.units[0].nodes, ElementsAre("dq", "conv_token_1"));
  EXPECT_EQ(log.units[0].reason, "QNN EP: BQ Conv scale size mismatch");
  EXPECT_TRUE(log.units[1].passed);
  EXPECT_THAT(log.units[1].nodes, ElementsAre("relu"));
}

}  // namespace
}  // namespace hexquant::formats
