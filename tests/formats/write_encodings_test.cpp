#include "formats/encodings/write_encodings.h"

#include <gtest/gtest.h>

#include <vector>

namespace hexquant::formats {
namespace {

/// Weight `w` of two channels with three blocks of 16 each: scales 1, 2, 3 and 4, 5, 6 (halves, as
/// two-level scales), laid out with the channels on `channel_axis`.
quant::EncodingTable blocks(int channel_axis, bool two_levels) {
  Encoding encoding;
  encoding.type = DType::kInt4;
  encoding.symmetric = true;
  encoding.granularity = Granularity::kGroup;
  encoding.axis = 1 - channel_axis;
  encoding.block_size = 16;
  encoding.zero_point.assign(6, 0);
  encoding.scale = channel_axis == 0 ? std::vector<float>{1, 2, 3, 4, 5, 6}
                                     : std::vector<float>{1, 4, 2, 5, 3, 6};
  if (two_levels) {
    encoding.channel_scale = {0.5F, 0.5F};
    for (const float scale : encoding.scale) {
      encoding.block_int_scale.push_back(static_cast<std::uint16_t>(2 * scale));
    }
  }
  quant::EncodingTable table;
  table.tensors["w"] = encoding;
  return table;
}

graph::Graph weight_graph(int channel_axis) {
  graph::Graph graph;
  graph.add_initializer("w",
                        Tensor(DType::kFloat32, channel_axis == 0 ? Shape{2, 48} : Shape{48, 2}));
  return graph;
}

Json encodings_1_0_0(const graph::Graph& graph, const quant::EncodingTable& encodings) {
  Findings findings;
  Json file = encodings_json(graph, encodings, EncodingsVersion::k1_0_0, findings);
  EXPECT_TRUE(findings.empty());
  return file;
}

TEST(WriteEncodings, BlocksAreListedChannelByChannel) {
  for (const int channel_axis : {0, 1}) {
    const Json file = encodings_1_0_0(weight_graph(channel_axis), blocks(channel_axis, false));
    ASSERT_EQ(file.at("param_encodings").size(), 1U);
    const Json expected = {{"name", "w"},
                           {"enc_type", "PER_BLOCK"},
                           {"bw", 4},
                           {"block_size", 16},
                           {"dtype", "INT"},
                           {"is_sym", true},
                           {"scale", {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}},
                           {"offset", {-8, -8, -8, -8, -8, -8}}};
    EXPECT_EQ(file.at("param_encodings")[0], expected) << "channel axis " << channel_axis;
  }
}

TEST(WriteEncodings, TwoLevelScalesAreLpbq) {
  for (const int channel_axis : {0, 1}) {
    const Json file = encodings_1_0_0(weight_graph(channel_axis), blocks(channel_axis, true));
    const Json expected = {{"name", "w"},
                           {"enc_type", "LPBQ"},
                           {"bw", 8},
                           {"compressed_bw", 4},
                           {"block_size", 16},
                           {"dtype", "INT"},
                           {"is_sym", true},
                           {"scale", {0.5, 0.5}},
                           {"offset", {-128, -128}},
                           {"per_block_int_scale", {2, 4, 6, 8, 10, 12}}};
    EXPECT_EQ(file.at("param_encodings")[0], expected) << "channel axis " << channel_axis;
  }
}

TEST(WriteEncodings, OneByOneConvolutionsHaveTheChannelsFirst) {
  graph::Graph graph;
  graph.add_initializer("w", Tensor(DType::kFloat32, {2, 48, 1, 1}));
  const Json file = encodings_1_0_0(graph, blocks(0, true));
  EXPECT_EQ(file.at("param_encodings")[0].at("per_block_int_scale"), Json({2, 4, 6, 8, 10, 12}));
}

TEST(WriteEncodings, OverridesLeaveBlocksOut) {
  const Json file = quantization_overrides(weight_graph(0), blocks(0, false), {});
  EXPECT_TRUE(file.at("param_encodings").empty());
}

TEST(QuantizationOverrides, FloatTensorsAreEntriesOfTheirOwn) {
  quant::EncodingTable table;
  table.tensors["x"].scale = {0.5F};
  table.tensors["x"].zero_point = {3};
  table.tensors["border"] = table.tensors["x"];
  const Json file = quantization_overrides(weight_graph(0), table, {"border", "w"});
  const Json expected = Json::parse(R"([{"bitwidth": 16, "dtype": "float"}])");
  EXPECT_EQ(file.at("activation_encodings").at("border"), expected);
  EXPECT_EQ(file.at("param_encodings").at("w"), expected);
  EXPECT_EQ(file.at("activation_encodings").at("x").at(0).at("bitwidth"), 8);
}

}  // namespace
}  // namespace hexquant::formats
