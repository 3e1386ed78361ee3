#include "passes/upgrade_opset.h"

#include <ostream>

#include "passes/infer_shapes.h"
#include "passes/opset_adapters.h"
#include "passes/pass_testing.h"

namespace hexquant::passes {
namespace {

using graph::Attributes;
using graph::Graph;
using graph::ValueType;
using Ints = std::vector<std::int64_t>;

/// One operator in its old form, with inputs x, a, b, ... and output y.
struct OldNode {
  const char* name;
  std::int64_t opset;
  const char* op_type;
  std::vector<ValueType> inputs;
  std::map<std::string, Tensor> constants;  // read after the inputs, in the order of their names
  Attributes attributes = {};
  std::size_t outputs = 1;
  std::size_t returned = 1;  // outputs that the graph returns
};

void PrintTo(const OldNode& old, std::ostream* out) {
  *out << old.name;
}

Graph build(const OldNode& old) {
  Graph graph = test::empty_graph(old.opset);
  graph.info.ir_version = 8;
  graph::NodeSpec spec{old.op_type, {}, {}, old.attributes, "node", ""};
  for (std::size_t i = 0; i < old.inputs.size(); ++i) {
    spec.inputs.push_back("x" + std::to_string(i));
    graph.add_input(spec.inputs.back(), old.inputs[i]);
  }
  for (const auto& [name, tensor] : old.constants) {
    spec.inputs.push_back(name);
    graph.add_initializer(name, tensor);
  }
  for (std::size_t i = 0; i < old.outputs; ++i) spec.outputs.push_back("y" + std::to_string(i));
  graph.add_node(spec);
  for (std::size_t i = 0; i < old.returned; ++i) graph.add_output(spec.outputs[i]);
  (void)infer_shapes(graph, {});
  return graph;
}

const ValueType kImage = test::float_type({1, 2, 5, 6});
const ValueType kBatchImage = test::float_type({-1, 2, 5, 6});
const ValueType kMatrix = test::float_type({3, 4});

Tensor scales(float height, float width) {
  return test::floats({4}, {1, 1, height, width});
}

std::vector<OldNode> upgradable() {
  const std::string asymmetric = "asymmetric";
  const Tensor two = test::floats({2}, {0.5F, 2.0F});
  const std::map<std::string, Tensor> bn = {{"a", two},
                                            {"b", two},
                                            {"c", test::floats({2}, {0.25F, -1})},
                                            {"d", test::floats({2}, {2, 3})}};
  return {
      {"batch_norm_7", 7, "BatchNormalization", {kImage}, bn, {{"spatial", std::int64_t{1}}}},
      {"clip_6", 7, "Clip", {kImage}, {}, {{"min", -0.5F}, {"max", 1.0F}}},
      {"clip_6_one_bound", 10, "Clip", {kImage}, {}, {{"max", 0.25F}}},
      {"pad_2_double",
       7,
       "Pad",
       {test::value_type(DType::kFloat64, {{3, ""}})},
       {},
       {{"pads", Ints{1, 0}}, {"value", 0.5F}}},
      {"dropout_7", 7, "Dropout", {kImage}, {}, {{"ratio", 0.3F}}},
      {"dropout_10", 10, "Dropout", {kImage}, {}, {{"ratio", 0.3F}}, 2, 1},
      {"pad_2", 7, "Pad", {kImage}, {}, {{"pads", Ints{0, 0, 1, 0, 0, 1, 2, 0}}, {"value", 1.5F}}},
      {"pad_2_reflect",
       10,
       "Pad",
       {kImage},
       {},
       {{"pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}}, {"mode", std::string("reflect")}}},
      {"slice_1",
       9,
       "Slice",
       {kImage},
       {},
       {{"starts", Ints{1, -4}}, {"ends", Ints{9, -1}}, {"axes", Ints{2, 3}}}},
      {"slice_1_no_axes", 7, "Slice", {kMatrix}, {}, {{"starts", Ints{1}}, {"ends", Ints{3}}}},
      {"squeeze_1", 11, "Squeeze", {test::float_type({1, 3, 1})}, {}, {{"axes", Ints{0}}}},
      {"squeeze_all", 7, "Squeeze", {test::float_type({1, 3, 1})}, {}},
      {"unsqueeze_11", 12, "Unsqueeze", {kMatrix}, {}, {{"axes", Ints{0, -1}}}},
      {"split_2",
       11,
       "Split",
       {kMatrix},
       {},
       {{"split", Ints{1, 3}}, {"axis", std::int64_t{1}}},
       2,
       2},
      {"split_equal", 13, "Split", {kMatrix}, {}, {{"axis", std::int64_t{1}}}, 2, 2},
      {"reduce_sum_11", 11, "ReduceSum", {kImage}, {}, {{"axes", Ints{1, -1}}}},
      {"reduce_mean_13", 13, "ReduceMean", {kImage}, {}, {{"axes", Ints{2, 3}}}},
      {"reduce_mean_all", 17, "ReduceMean", {kImage}, {}, {{"keepdims", std::int64_t{0}}}},
      {"reduce_max_12", 12, "ReduceMax", {kImage}, {}, {{"axes", Ints{1}}}},
      {"reduce_l2_7", 7, "ReduceL2", {kImage}, {}, {{"axes", Ints{3}}}},
      {"reduce_log_sum_exp", 13, "ReduceLogSumExp", {kImage}, {}, {{"axes", Ints{3}}}},
      {"softmax_last", 11, "Softmax", {kMatrix}, {}, {{"axis", std::int64_t{1}}}},
      {"softmax_default_4d", 11, "Softmax", {kImage}, {}},
      {"softmax_ones_behind", 11, "Softmax", {test::float_type({2, 5, 1, 1})}, {}},
      {"softmax_middle", 12, "Softmax", {kImage}, {}, {{"axis", std::int64_t{2}}}},
      {"softmax_free_batch", 11, "Softmax", {kBatchImage}, {}, {{"axis", std::int64_t{-2}}}},
      {"softmax_axis_0", 11, "Softmax", {kMatrix}, {}, {{"axis", std::int64_t{0}}}},
      {"log_softmax", 7, "LogSoftmax", {kImage}, {}},
      {"hardmax", 11, "Hardmax", {kImage}, {}},
      {"top_k_1",
       9,
       "TopK",
       {kMatrix},
       {},
       {{"k", std::int64_t{2}}, {"axis", std::int64_t{1}}},
       2,
       2},
      {"upsample_7",
       7,
       "Upsample",
       {kImage},
       {},
       {{"scales", std::vector<float>{1, 1, 2, 2.5F}}, {"mode", std::string("nearest")}}},
      {"upsample_9_linear",
       9,
       "Upsample",
       {kImage},
       {{"s", scales(2, 1.5F)}},
       {{"mode", std::string("linear")}}},
      {"resize_10_larger", 10, "Resize", {kImage}, {{"s", scales(1.6F, 2.7F)}}},
      {"resize_10_smaller", 10, "Resize", {kImage}, {{"s", scales(0.6F, 0.37F)}}},
      {"resize_10_linear",
       10,
       "Resize",
       {kImage},
       {{"s", scales(0.6F, 1.7F)}},
       {{"mode", std::string("linear")}}},
      {"resize_11",
       11,
       "Resize",
       {kImage},
       {{"a_roi", test::floats({0}, {})}, {"b_scales", scales(2, 2)}},
       {{"coordinate_transformation_mode", asymmetric}, {"nearest_mode", std::string("floor")}}},
      {"resize_11_sizes",
       11,
       "Resize",
       {kImage},
       {{"a_roi", test::floats({0}, {})},
        {"b_scales", test::floats({0}, {})},
        {"c_sizes", test::ints({1, 2, 10, 9})}},
       {{"mode", std::string("linear")}}},
      {"resize_13_cubic",
       13,
       "Resize",
       {kImage},
       {{"a_roi", test::floats({0}, {})}, {"b_scales", scales(1.5F, 2)}},
       {{"mode", std::string("cubic")}}},
      {"grid_sample_16",
       16,
       "GridSample",
       {kImage, test::float_type({1, 3, 3, 2})},
       {},
       {{"mode", std::string("bilinear")}}},
      {"grid_sample_default", 16, "GridSample", {kImage, test::float_type({1, 3, 3, 2})}, {}},
      {"roi_align_10",
       10,
       "RoiAlign",
       {test::float_type({1, 2, 12, 12})},
       {{"a", test::floats({2, 4}, {1, 1, 7, 9, 0, 2, 5.5F, 8.25F})}, {"b", test::ints({0, 0})}},
       {{"output_height", std::int64_t{3}}, {"output_width", std::int64_t{2}}}},
      {"scatter_9",
       9,
       "Scatter",
       {kMatrix},
       {{"a", Tensor::from<std::int64_t>({1, 2}, {2, 0})}, {"b", test::floats({1, 2}, {7, 8})}},
       {{"axis", std::int64_t{0}}}},
      {"group_norm_18",
       18,
       "GroupNormalization",
       {test::float_type({1, 4, 3, 3})},
       {{"a", two}, {"b", test::floats({2}, {1, -1})}},
       {{"num_groups", std::int64_t{2}}}},
      {"dft_17", 17, "DFT", {test::float_type({1, 8, 3, 1})}, {}},
      {"average_pool_ceil",
       10,
       "AveragePool",
       {kImage},
       {},
       {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"ceil_mode", std::int64_t{1}}}},
      {"max_pool_8",
       8,
       "MaxPool",
       {kImage},
       {},
       {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}}},
      {"flatten_1", 7, "Flatten", {kImage}, {}, {{"axis", std::int64_t{2}}}},
      {"reshape_5", 7, "Reshape", {kBatchImage}, {{"s", test::ints({0, -1})}}},
      {"arg_max_11", 11, "ArgMax", {kMatrix}, {}, {{"axis", std::int64_t{1}}}},
      {"mod_10", 10, "Mod", {kMatrix}, {{"a", Tensor::scalar(0.75F)}}, {{"fmod", std::int64_t{1}}}},
      {"prelu_7", 7, "PRelu", {kImage}, {{"a", test::floats({2, 1, 1}, {0.25F, 0.5F})}}},
      {"depth_to_space_1",
       7,
       "DepthToSpace",
       {test::float_type({1, 8, 2, 3})},
       {},
       {{"blocksize", std::int64_t{2}}}},
  };
}

class Upgradable : public ::testing::TestWithParam<OldNode> {};

TEST_P(Upgradable, KeepsTheFunction) {
  const Graph original = build(GetParam());
  Graph graph = original;
  const PassReport report = upgrade_opset(graph);
  ASSERT_TRUE(report.findings.empty()) << report.findings.front().reason;
  EXPECT_EQ(graph.opset(), 21);
  // Pools have another kernel since 19, which adds in another order: a few units in the last place.
  test::expect_same_outputs(original, graph, 1e-6, {{"N", 3}});
}

INSTANTIATE_TEST_SUITE_P(Operators, Upgradable, ::testing::ValuesIn(upgradable()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(UpgradeOpset, KeepsKnownTypes) {
  for (const OldNode& old : upgradable()) {
    Graph graph = build(old);
    (void)upgrade_opset(graph);
    EXPECT_NE(graph.find_type("y0"), nullptr) << old.name;
  }
}

/// The old form must not load as it is, or else the rewrite proves nothing.
TEST(UpgradeOpset, RenamingTheVersionAloneWouldChangeTheFunction) {
  const std::vector<std::string> changed = {"softmax_default_4d", "softmax_middle",
                                            "roi_align_10",       "resize_10_larger",
                                            "resize_10_smaller",  "clip_6"};
  for (const OldNode& old : upgradable()) {
    if (std::find(changed.begin(), changed.end(), old.name) == changed.end()) continue;
    const Graph original = build(old);
    Graph renamed = original;
    renamed.opsets[""] = 21;
    const runtime::Feeds feeds = test::random_feeds(original, 1);
    bool differs = false;
    try {
      differs = test::largest_difference(test::run_graph(original, feeds)[0],
                                         test::run_graph(renamed, feeds)[0]) > 1e-3;
    } catch (const std::exception&) {
      differs = true;
    }
    EXPECT_TRUE(differs) << old.name;
  }
}

std::vector<OldNode> obstinate() {
  return {
      {"batch_norm_of_positions",
       7,
       "BatchNormalization",
       {kImage},
       {{"a", test::floats({2, 5, 6}, std::vector<float>(60, 1))},
        {"b", test::floats({2, 5, 6}, std::vector<float>(60, 1))},
        {"c", test::floats({2, 5, 6}, std::vector<float>(60, 1))},
        {"d", test::floats({2, 5, 6}, std::vector<float>(60, 1))}},
       {{"spatial", std::int64_t{0}}}},
      {"batch_norm_in_training",
       9,
       "BatchNormalization",
       {kImage},
       {{"a", test::floats({2}, {1, 1})},
        {"b", test::floats({2}, {1, 1})},
        {"c", test::floats({2}, {1, 1})},
        {"d", test::floats({2}, {1, 1})}},
       {},
       5,
       1},
      {"dropout_mask_of_7", 7, "Dropout", {kImage}, {}, {}, 2, 2},
      {"resize_both_ways", 10, "Resize", {kImage}, {{"s", scales(0.6F, 1.7F)}}},
      {"resize_half_pixel_of_tensorflow",
       11,
       "Resize",
       {kImage},
       {{"a_roi", test::floats({0}, {})}, {"b_scales", scales(2, 2)}},
       {{"coordinate_transformation_mode", std::string("tf_half_pixel_for_nn")}}},
  };
}

class Obstinate : public ::testing::TestWithParam<OldNode> {};

TEST_P(Obstinate, LeavesTheGraphAndSaysWhy) {
  const OldNode& old = GetParam();
  Graph graph = test::empty_graph(old.opset);
  try {
    graph = build(old);
  } catch (const std::exception&) {
    // ONNX Runtime has no kernel for it; the pass must not need one.
    graph = test::empty_graph(old.opset);
    graph.add_input("x0", old.inputs[0]);
    graph::NodeSpec spec{old.op_type, {"x0"}, {"y0"}, old.attributes, "node", ""};
    for (const auto& [name, tensor] : old.constants) {
      graph.add_initializer(name, tensor);
      spec.inputs.push_back(name);
    }
    graph.add_node(spec);
    graph.add_output("y0");
  }
  const auto attributes = graph.nodes().front().attributes().size();
  // A neighbour that could be upgraded must stay in its old form too.
  graph.add_node({"ReduceMean", {"x0"}, {"mean"}, {{"axes", Ints{1}}}, "neighbour", ""});
  graph.add_output("mean");
  const PassReport report = upgrade_opset(graph);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "opset-not-raised");
  EXPECT_EQ(report.findings[0].where, "node");
  EXPECT_TRUE(report.applied_to.empty());
  EXPECT_EQ(graph.opset(), old.opset);
  EXPECT_EQ(graph.nodes().front().attributes().size(), attributes);
  EXPECT_NE(graph.producer("mean")->find_attribute("axes"), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Operators, Obstinate, ::testing::ValuesIn(obstinate()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(UpgradeOpset, LeavesSubgraphsFunctionsAndUnknownOperators) {
  Graph graph = test::empty_graph(13);
  graph.add_input("x", kMatrix);
  graph.add_node({"Relu", {"x"}, {"y"}});
  graph.add_output("y");

  Graph with_if = graph;
  with_if.add_node({"If", {"x"}, {"z"}, {{"then_branch", graph::OpaqueAttribute{}}}, "if", ""});
  EXPECT_EQ(upgrade_opset(with_if).findings.at(0).where, "if");
  EXPECT_EQ(with_if.opset(), 13);

  Graph with_function = graph;
  with_function.info.serialized_functions = {"bytes"};
  EXPECT_EQ(upgrade_opset(with_function).findings.size(), 1U);

  Graph with_unknown = graph;
  with_unknown.add_node({"Affine", {"x"}, {"z"}, {}, "affine", ""});
  EXPECT_NE(upgrade_opset(with_unknown).findings.at(0).reason.find("Affine"), std::string::npos);

  Graph newer = graph;
  newer.opsets[""] = 23;
  EXPECT_TRUE(upgrade_opset(newer).findings.empty());
  EXPECT_EQ(newer.opset(), 23);

  EXPECT_TRUE(upgrade_opset(graph).findings.empty());
  EXPECT_EQ(graph.opset(), 21);
}

TEST(UpgradeOpset, ForeignDomainsAreLeftAlone) {
  Graph graph = test::empty_graph(13);
  graph.opsets["com.microsoft"] = 1;
  graph.add_input("x", kMatrix);
  graph.add_node({"Gelu", {"x"}, {"y"}, {}, "foreign", "com.microsoft"});
  graph.add_output("y");
  EXPECT_TRUE(upgrade_opset(graph).findings.empty());
  EXPECT_EQ(graph.opset(), 21);
  EXPECT_EQ(graph.producer("y")->domain(), "com.microsoft");
}

TEST(UpgradeOpset, AModelThatWouldNotLoadKeepsItsOperatorSet) {
  Graph graph = test::empty_graph(13);
  graph.opsets["my.domain"] = 1;
  graph.add_input("x", kMatrix);
  graph.add_node({"Frobnicate", {"x"}, {"y"}, {}, "strange", "my.domain"});
  graph.add_output("y");
  EXPECT_EQ(upgrade_opset(graph).findings.size(), 1U);
  EXPECT_EQ(graph.opset(), 13);
}

TEST(OperatorChanges, AreOrderedByVersionAndOfKnownOperators) {
  std::int64_t last = 8;
  for (const OperatorChange& change : operator_changes()) {
    EXPECT_TRUE(is_known_operator(change.op_type)) << change.op_type;
    EXPECT_GE(change.version, last) << change.op_type;
    EXPECT_LE(change.version, kInternalOpset);
    last = change.version;
  }
  EXPECT_FALSE(is_known_operator("Affine"));
  EXPECT_FALSE(is_known_operator(""));
}

}  // namespace
}  // namespace hexquant::passes
