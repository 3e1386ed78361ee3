#include "passes/prepare.h"

#include <filesystem>

#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "passes/pass_testing.h"

namespace hexquant::passes {
namespace {

using graph::Graph;

Graph read_model(const std::string& name) {
  return formats::read_onnx(std::filesystem::path(HEXQUANT_SOURCE_DIR) / "tests/data/models" /
                            (name + ".onnx"));
}

const PassReport* find_report(const std::vector<PassReport>& reports, const std::string& pass) {
  for (const PassReport& report : reports) {
    if (report.pass == pass) return &report;
  }
  return nullptr;
}

/// Every value that a node computes has a type; nodes are sorted.
void expect_complete(Graph graph) {
  std::vector<std::string> before;
  for (const graph::Node& node : graph.nodes()) {
    before.push_back(node.name());
    for (const std::string& output : node.outputs()) {
      EXPECT_TRUE(output.empty() || graph.find_type(output) != nullptr) << output;
    }
  }
  graph.sort();
  std::size_t i = 0;
  for (const graph::Node& node : graph.nodes()) EXPECT_EQ(node.name(), before[i++]);
}

class Prepare : public ::testing::TestWithParam<std::string> {};

TEST_P(Prepare, KeepsTheFunctionWithAFreeBatch) {
  const Graph original = read_model(GetParam());
  Graph graph = original;
  (void)prepare(graph, {});
  // Folded BatchNormalization and recognised LayerNorm round differently: a few units in the last
  // place of each of a few dozen layers.
  test::expect_same_outputs(original, graph, 1e-5, {{"N", 3}});
  expect_complete(graph);
}

TEST_P(Prepare, KeepsTheFunctionWithFixedShapes) {
  const Graph original = read_model(GetParam());
  Graph graph = original;
  PrepareOptions options;
  const auto feeds = test::random_feeds(original, 5, {{"N", 2}});
  for (const auto& [name, tensor] : feeds) options.input_shapes[name] = tensor.shape();
  (void)prepare(graph, options);
  test::expect_same_outputs(original, graph, 1e-5, {{"N", 2}});
  for (const graph::Node& node : graph.nodes()) {
    if (node.has_subgraph()) continue;
    EXPECT_TRUE(graph.find_type(node.output())->shape.has_value()) << node.name();
  }
}

TEST_P(Prepare, IsDeterministicAndChangesNothingTheSecondTime) {
  Graph first = read_model(GetParam());
  Graph second = first;
  (void)prepare(first, {});
  (void)prepare(second, {});
  EXPECT_EQ(formats::serialize_onnx(first), formats::serialize_onnx(second));
  const std::size_t nodes = first.nodes().size();
  (void)prepare(first, {});
  EXPECT_EQ(first.nodes().size(), nodes);
}

INSTANTIATE_TEST_SUITE_P(Models, Prepare,
                         ::testing::Values<std::string>("tiny_cnn", "tiny_external", "tiny_if",
                                                        "tiny_llama", "tiny_opset21", "tiny_opset7",
                                                        "tiny_pad", "tiny_transformer"),
                         [](const auto& info) { return info.param; });

TEST(PrepareModel, FoldsWhatTheNpuCannotDo) {
  Graph pad = read_model("tiny_pad");
  (void)prepare(pad, {});
  EXPECT_EQ(test::count_nodes(pad, "Pad"), 0);
  EXPECT_EQ(test::count_nodes(pad, "Shape"), 0);

  Graph transformer = read_model("tiny_transformer");
  (void)prepare(transformer, {});
  EXPECT_EQ(test::count_nodes(transformer, "Erf"), 0);
  EXPECT_EQ(test::count_nodes(transformer, "Shape"), 0);
  EXPECT_GT(test::count_nodes(transformer, "LayerNormalization"), 0);
  EXPECT_EQ(test::count_nodes(transformer, "Constant"), 0);
  EXPECT_EQ(transformer.opset(), 21);

  Graph cnn = read_model("tiny_cnn");
  (void)prepare(cnn, {});
  EXPECT_EQ(test::count_nodes(cnn, "BatchNormalization"), 0);
}

TEST(PrepareModel, SubgraphsKeepTheirOperatorSet) {
  Graph graph = read_model("tiny_if");
  const std::int64_t opset = graph.opset();
  const auto reports = prepare(graph, {});
  EXPECT_EQ(graph.opset(), opset);
  EXPECT_EQ(test::count_nodes(graph, "If"), 1);
  ASSERT_EQ(find_report(reports, "upgrade_opset")->findings.size(), 1U);
}

TEST(PrepareModel, WhatTheFileSaysOfOutputsFillsOpenDimensions) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({-1, 4}));
  graph.add_node({"NonZero", {"x"}, {"y"}});
  graph.add_output("y");
  graph.set_type("y", test::value_type(DType::kInt64, {{2, ""}, test::symbol("found")}));
  (void)prepare(graph, {});
  EXPECT_EQ(graph.find_type("y")->shape, (std::vector<graph::Dim>{{2, ""}, test::symbol("found")}));
}

TEST(PrepareModel, ReportsEachPassOnce) {
  Graph graph = read_model("tiny_cnn");
  const auto reports = prepare(graph, {});
  std::vector<std::string> names;
  for (const PassReport& report : reports) names.push_back(report.pass);
  auto unique = names;
  std::sort(unique.begin(), unique.end());
  EXPECT_EQ(std::unique(unique.begin(), unique.end()), unique.end());
  EXPECT_EQ(names.front(), "fix_input_shapes");
}

// The bias of each of two layers stands behind an Identity, both read one tensor: on the HTP both
// layers would run in float.
TEST(PrepareModel, BiasesSharedBehindIdentityBecomeTwoConstants) {
  Graph graph = test::empty_graph(13);
  graph.add_input("x", test::float_type({-1, 2}));
  graph.add_initializer("w1", test::floats({2, 2}, {1, 2, 3, 4}));
  graph.add_initializer("w2", test::floats({2, 2}, {4, 3, 2, 1}));
  graph.add_initializer("zero", test::floats({2}, {0, 0}));
  graph.add_node({"Identity", {"zero"}, {"b1"}});
  graph.add_node({"Identity", {"b1"}, {"b2"}});
  graph.add_node({"Gemm", {"x", "w1", "b1"}, {"h"}});
  graph.add_node({"Gemm", {"h", "w2", "b2"}, {"y"}});
  graph.add_output("y");
  const Graph original = graph;
  (void)prepare(graph, {});
  ASSERT_EQ(graph.nodes().size(), 2U);
  const std::string first = graph.nodes().front().input(2);
  const std::string second = graph.nodes().back().input(2);
  EXPECT_NE(first, second);
  EXPECT_NE(graph.find_initializer(first), nullptr);
  EXPECT_NE(graph.find_initializer(second), nullptr);
  test::expect_same_outputs(original, graph, 0.0);
}

TEST(PrepareModel, RejectsWrongInputShapes) {
  Graph graph = read_model("tiny_cnn");
  PrepareOptions options;
  options.input_shapes["nothing"] = {1};
  EXPECT_THROW((void)prepare(graph, options), Error);
}

}  // namespace
}  // namespace hexquant::passes
