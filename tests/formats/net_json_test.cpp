#include "formats/net_json/net_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/net_json/qnn_numbers.h"
#include "support/graph_builder.h"

namespace hexquant::formats {
namespace {

/// image [1,2,4,4] -> Conv 3x3, 3 outputs -> conv -> Relu -> y.
graph::Graph small_graph() {
  return test::GraphBuilder()
      .input("image", {1, 2, 4, 4})
      .constant("weight", {3, 2, 3, 3})
      .constant("bias", {3})
      .node("Conv", {"image", "weight", "bias"}, {"conv"}, {1, 3, 2, 2},
            {{"strides", std::vector<std::int64_t>{1, 1}}, {"group", std::int64_t{1}}})
      .node("Relu", {"conv"}, {"y"}, {1, 3, 2, 2})
      .output("y")
      .graph();
}

Encoding activation(float scale, std::int32_t zero_point) {
  Encoding encoding;
  encoding.scale = {scale};
  encoding.zero_point = {zero_point};
  return encoding;
}

Encoding channels(DType type) {
  Encoding encoding;
  encoding.type = type;
  encoding.symmetric = true;
  encoding.granularity = Granularity::kChannel;
  encoding.scale = {0.5F, 0.25F, 2.0F};
  encoding.zero_point = {0, 0, 0};
  return encoding;
}

quant::EncodingTable small_table() {
  quant::EncodingTable table;
  table.tensors["image"] = activation(0.5F, 128);
  table.tensors["y"] = activation(0.125F, 0);
  table.tensors["weight"] = channels(DType::kInt8);
  table.tensors["bias"] = channels(DType::kInt32);
  return table;
}

TEST(NetJsonTest, tensors_have_the_numbers_of_qnn) {
  const Json json =
      net_json(small_graph(), small_table(), {"the command", "(c)", {{"image", "NHWC"}}});
  const Json& tensors = json.at("graph").at("tensors");
  EXPECT_EQ(tensors.at("image"),
            Json::parse(R"({"id": 0, "type": 0, "dataFormat": 0, "axis_format": "NHWC",
              "data_type": 1032, "quant_params": {"definition": 1, "encoding": 0,
              "scale_offset": {"scale": 0.5, "offset": -128}}, "dims": [1, 2, 4, 4]})"));
  const Json& weight = tensors.at("weight");
  EXPECT_EQ(weight.at("type"), 4);
  EXPECT_EQ(weight.at("data_type"), 776);
  EXPECT_EQ(weight.at("params_count"), 54);
  EXPECT_EQ(weight.at("quant_params"),
            Json::parse(R"({"definition": 1, "encoding": 1, "axis_scale_offset": {"axis": 0,
              "num_scale_offsets": 3, "scale_offsets": [{"scale": 0.5, "offset": 0},
              {"scale": 0.25, "offset": 0}, {"scale": 2.0, "offset": 0}]}})"));
  EXPECT_EQ(tensors.at("bias").at("data_type"), 818);
  EXPECT_EQ(tensors.at("conv").at("type"), 3);
  EXPECT_EQ(tensors.at("conv").at("data_type"), 562);
  EXPECT_EQ(tensors.at("conv").at("quant_params").at("encoding"), 2147483647);
  EXPECT_EQ(tensors.at("y").at("type"), 1);
}

TEST(NetJsonTest, nodes_have_attributes_and_work) {
  const Json json = net_json(small_graph(), small_table(), {"the command", "(c)", {}});
  EXPECT_EQ(json.at("converter_command"), "the command");
  EXPECT_EQ(json.at("copyright_str"), "(c)");
  EXPECT_EQ(json.at("op_types"), Json::parse(R"(["Conv", "Relu"])"));
  EXPECT_EQ(json.at("Total parameters"), "57 (0.00 MB assuming single precision float)");
  const Json& conv = json.at("graph").at("nodes").at("conv");
  EXPECT_EQ(conv.at("package"), "onnx");
  EXPECT_EQ(conv.at("type"), "Conv");
  EXPECT_EQ(conv.at("input_names"), Json::parse(R"(["image", "weight", "bias"])"));
  EXPECT_EQ(conv.at("output_names"), Json::parse(R"(["conv"])"));
  EXPECT_EQ(conv.at("scalar_params"), Json::parse(R"({"group": {"100": 1}})"));
  EXPECT_EQ(conv.at("tensor_params").at("strides").at("conv_strides").at("data"),
            Json::parse("[1, 1]"));
  EXPECT_EQ(conv.at("macs_per_inference"), 3 * 2 * 2 * 2 * 3 * 3);
  EXPECT_EQ(json.at("graph").at("nodes").at("y").at("macs_per_inference"), 0);
}

TEST(NetJsonTest, work_of_matrix_products_counts_the_inner_dimension) {
  const graph::Graph graph = test::GraphBuilder()
                                 .input("x", {2, 5, 7})
                                 .constant("w", {7, 3})
                                 .node("MatMul", {"x", "w"}, {"y"}, {2, 5, 3})
                                 .output("y")
                                 .graph();
  const Json json = net_json(graph, {}, {});
  EXPECT_EQ(json.at("graph").at("nodes").at("y").at("macs_per_inference"), 2 * 5 * 3 * 7);
}

TEST(NetJsonTest, every_type_of_codes_has_a_number) {
  EXPECT_EQ(fixed_point_number(DType::kUInt8), 0x0408);
  EXPECT_EQ(fixed_point_number(DType::kUInt16), 0x0416);
  EXPECT_EQ(fixed_point_number(DType::kUInt4), 0x0404);
  EXPECT_EQ(fixed_point_number(DType::kInt4), 0x0304);
  EXPECT_EQ(fixed_point_number(DType::kInt16), 0x0316);
  EXPECT_EQ(type_number(DType::kInt64), 100);
  EXPECT_EQ(type_number(DType::kBool), 0x0508);
}

TEST(NetJsonTest, blocks_keep_their_axis_and_size) {
  Encoding blocks;
  blocks.type = DType::kInt4;
  blocks.granularity = Granularity::kGroup;
  blocks.axis = 1;
  blocks.block_size = 32;
  blocks.scale = {1.0F, 2.0F};
  blocks.zero_point = {0, 0};
  const Json json = quant_params(blocks);
  EXPECT_EQ(json.at("encoding"), 4);
  EXPECT_EQ(json.at("block_scale_offset").at("block_size"), 32);
  EXPECT_EQ(json.at("block_scale_offset").at("scale_offsets").size(), 2U);
}

}  // namespace
}  // namespace hexquant::formats
