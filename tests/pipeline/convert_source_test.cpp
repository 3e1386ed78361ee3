#include "pipeline/convert_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hexquant/error.h"
#include "support/graph_builder.h"

namespace hexquant::pipeline {
namespace {

using test::GraphBuilder;
using testing::ElementsAre;
using testing::HasSubstr;

using Words = std::vector<std::string>;

/// image [1,3,8,6] -> Conv -> Relu -> map [1,4,8,6]; vector [1,5] -> Sigmoid -> scores.
graph::Graph two_branches() {
  return GraphBuilder()
      .input("image", {1, 3, 8, 6})
      .input("vector", {1, 5})
      .constant("weight", {4, 3, 1, 1})
      .node("Conv", {"image", "weight"}, {"conv"}, {1, 4, 8, 6})
      .node("Relu", {"conv"}, {"map"}, {1, 4, 8, 6})
      .node("Sigmoid", {"vector"}, {"scores"}, {1, 5})
      .output("map")
      .output("scores")
      .graph();
}

ConvertSource source_of(const graph::Graph& graph, const std::vector<Words>& lines) {
  GivenOptions given;
  for (const Words& line : lines) {
    given[line.front()].emplace_back(line.begin() + 1, line.end());
  }
  return convert_source(graph, ConvertArguments(given));
}

std::string error_of(const graph::Graph& graph, const std::vector<Words>& lines) {
  try {
    source_of(graph, lines);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Shape shape_of(const graph::Graph& graph, const std::string& value) {
  return graph.find_type(value)->fixed_shape().value();
}

TEST(ConvertSourceTest, images_become_channel_last_and_vectors_stay) {
  const ConvertSource source = source_of(two_branches(), {});
  EXPECT_TRUE(source.is_edited);
  EXPECT_THAT(shape_of(source.graph, "image"), ElementsAre(1, 8, 6, 3));
  EXPECT_THAT(shape_of(source.graph, "image_NCHW"), ElementsAre(1, 3, 8, 6));
  EXPECT_THAT(source.graph.producer("image_NCHW")->ints_attribute("perm", {}),
              ElementsAre(0, 3, 1, 2));
  EXPECT_EQ(source.graph.producer("conv")->input(0), "image_NCHW");
  EXPECT_THAT(shape_of(source.graph, "map"), ElementsAre(1, 8, 6, 4));
  EXPECT_THAT(source.graph.producer("map")->ints_attribute("perm", {}), ElementsAre(0, 2, 3, 1));
  EXPECT_EQ(source.graph.producer("map")->input(0), "map_NCHW");
  EXPECT_THAT(shape_of(source.graph, "scores"), ElementsAre(1, 5));
  EXPECT_EQ(source.layouts.at("image"), "NHWC");
  EXPECT_FALSE(source.layouts.contains("vector"));
  ASSERT_EQ(source.findings.size(), 2U);
  EXPECT_EQ(source.findings[0].id, "channel-last");
}

TEST(ConvertSourceTest, preserve_io_keeps_layouts_of_all_or_of_those_named) {
  EXPECT_FALSE(source_of(two_branches(), {{"--preserve_io"}}).is_edited);
  EXPECT_FALSE(source_of(two_branches(), {{"--preserve_io", "layout"}}).is_edited);
  EXPECT_TRUE(source_of(two_branches(), {{"--preserve_io", "datatype"}}).is_edited);
  const ConvertSource one = source_of(two_branches(), {{"--preserve_io", "layout", "image"}});
  EXPECT_THAT(shape_of(one.graph, "image"), ElementsAre(1, 3, 8, 6));
  EXPECT_THAT(shape_of(one.graph, "map"), ElementsAre(1, 8, 6, 4));
  EXPECT_THAT(error_of(two_branches(), {{"--preserve_io", "colour"}}),
              HasSubstr("--preserve_io 'colour': expected layout or datatype"));
  EXPECT_THAT(error_of(two_branches(), {{"--preserve_io", "layout", "x"}}),
              HasSubstr("--preserve_io 'x': neither input nor output"));
}

TEST(ConvertSourceTest, a_layout_that_is_given_wins) {
  const Words keep = {"--preserve_io", "layout", "map"};
  EXPECT_FALSE(source_of(two_branches(), {{"--input_layout", "image", "NHWC"}, keep}).is_edited);
  EXPECT_FALSE(
      source_of(two_branches(), {{"--input_layout", "image", "NONTRIVIAL"}, keep}).is_edited);
  EXPECT_THAT(error_of(two_branches(), {{"--input_layout", "vector", "NCHW"}}),
              HasSubstr("--input_layout vector NCHW: the input has another number"));
  EXPECT_THAT(error_of(two_branches(), {{"--input_layout", "x", "NCHW"}}),
              HasSubstr("--input_layout 'x': no input of the model, which has image, vector"));
}

TEST(ConvertSourceTest, series_become_channel_last_when_named) {
  const graph::Graph series = GraphBuilder()
                                  .input("x", {1, 3, 10})
                                  .node("Relu", {"x"}, {"y"}, {1, 3, 10})
                                  .output("y")
                                  .graph();
  EXPECT_FALSE(source_of(series, {}).is_edited);
  const ConvertSource source = source_of(series, {{"--input_layout", "x", "NCF"}});
  EXPECT_THAT(shape_of(source.graph, "x"), ElementsAre(1, 10, 3));
  EXPECT_THAT(source.graph.producer("x_NCF")->ints_attribute("perm", {}), ElementsAre(0, 2, 1));
}

TEST(ConvertSourceTest, dimensions_are_given_in_the_models_layout) {
  const ConvertSource source =
      source_of(two_branches(), {{"--input_dim", "image", "1,3,8,6"}, {"--batch", "1"}});
  EXPECT_THAT(source.input_shapes.at("image"), ElementsAre(1, 8, 6, 3));
  EXPECT_FALSE(source.input_shapes.contains("vector"));
  EXPECT_THAT(error_of(two_branches(), {{"--input_dim", "image", "1,3,x"}}), HasSubstr("'x'"));
  EXPECT_THAT(error_of(two_branches(), {{"--input_dim", "image", "1,,3"}}),
              HasSubstr("expected a number from 1 on"));
  EXPECT_THAT(error_of(two_branches(), {{"--input_dim", "imag", "1,3,8,6"}}),
              HasSubstr("--input_dim 'imag': no input of the model"));
}

TEST(ConvertSourceTest, batch_and_symbols_fix_open_dimensions) {
  graph::Graph open = GraphBuilder()
                          .input("tokens", {1, 1})
                          .node("Sigmoid", {"tokens"}, {"y"}, {1, 1})
                          .output("y")
                          .graph();
  graph::ValueType type;
  type.dtype = DType::kFloat32;
  type.shape = {{-1, "batch"}, {-1, "length"}};
  open.set_input_type("tokens", type);
  EXPECT_THAT(source_of(open, {{"--batch", "2"}, {"--define_symbol", "length", "16"}})
                  .input_shapes.at("tokens"),
              ElementsAre(2, 16));
  EXPECT_THAT(
      source_of(open, {{"--define_symbol", "batch", "4"}, {"--define_symbol", "length", "8"}})
          .input_shapes.at("tokens"),
      ElementsAre(4, 8));
  EXPECT_THAT(error_of(open, {{"--batch", "2"}}),
              HasSubstr("dimension 1 ('length') is still open"));
  EXPECT_THAT(error_of(open, {{"--define_symbol", "width", "8"}}),
              HasSubstr("--define_symbol 'width': no dimension of an input, which have batch"));
  EXPECT_THAT(error_of(open, {{"--batch", "0"}}), HasSubstr("--batch '0'"));
}

TEST(ConvertSourceTest, out_node_cuts_the_model) {
  const ConvertSource source =
      source_of(two_branches(), {{"--out_node", "conv"}, {"--preserve_io", "layout"}});
  EXPECT_TRUE(source.is_edited);
  EXPECT_THAT(source.graph.outputs(), ElementsAre("conv"));
  EXPECT_THAT(source.graph.inputs(), ElementsAre("image"));
  EXPECT_EQ(source.graph.nodes().size(), 1U);
  EXPECT_NE(source.graph.find_initializer("weight"), nullptr);
  EXPECT_FALSE(
      source_of(two_branches(),
                {{"--out_node", "map"}, {"--out_node", "scores"}, {"--preserve_io", "layout"}})
          .is_edited);
  EXPECT_THAT(error_of(two_branches(), {{"--out_node", "score"}}),
              HasSubstr("--out_node 'score': no value of the model; did you mean scores?"));
}

}  // namespace
}  // namespace hexquant::pipeline
