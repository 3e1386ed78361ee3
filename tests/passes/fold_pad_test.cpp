#include "passes/fold_pad.h"

#include "passes/infer_shapes.h"
#include "passes/pass_testing.h"

namespace hexquant::passes {
namespace {

using graph::Attributes;
using graph::Graph;
using Ints = std::vector<std::int64_t>;

const Ints kPads = {0, 0, 1, 2, 0, 0, 0, 1};

/// x -> [Relu] -> Pad(pads, value) -> reader -> y
struct PadCase {
  std::string reader;
  Attributes attributes;
  Ints pads = kPads;
  float value = 0.0F;
  bool relu = false;
  std::string mode = "constant";
};

Graph build(const PadCase& test_case) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({-1, 2, 7, 8}));
  std::string source = "x";
  if (test_case.relu) source = graph.add_node({"Relu", {"x"}, {"positive"}}).output();
  graph.add_initializer("pads", test::ints(test_case.pads));
  graph.add_initializer("value", Tensor::scalar(test_case.value));
  graph.add_node(
      {"Pad", {source, "pads", "value"}, {"padded"}, {{"mode", test_case.mode}}, "pad", ""});
  std::vector<std::string> inputs = {"padded"};
  if (test_case.reader == "Conv") {
    graph.add_initializer("w", test::random_floats({3, 2, 3, 3}, 7));
    inputs.push_back("w");
  }
  graph.add_node({test_case.reader, inputs, {"y"}, test_case.attributes, "reader", ""});
  graph.add_output("y");
  (void)infer_shapes(graph, {});
  return graph;
}

/// True if the Pad went; the function is checked in any case.
bool folds(const PadCase& test_case) {
  Graph graph = build(test_case);
  const Graph original = graph;
  const PassReport report = fold_pad(graph);
  // Sums of products in another order: a few units in the last place.
  test::expect_same_outputs(original, graph, 1e-6);
  return !report.applied_to.empty();
}

Attributes pool(const Attributes& more = {}) {
  Attributes attributes = {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}};
  attributes.insert(more.begin(), more.end());
  return attributes;
}

TEST(FoldPad, IntoConv) {
  EXPECT_TRUE(folds({"Conv", {}}));
  EXPECT_TRUE(folds({"Conv", {{"pads", Ints{1, 0, 2, 1}}, {"strides", Ints{2, 1}}}}));
  EXPECT_TRUE(folds({"Conv", {{"auto_pad", std::string("VALID")}, {"dilations", Ints{2, 2}}}}));
  EXPECT_FALSE(folds({"Conv", {{"auto_pad", std::string("SAME_UPPER")}}}))
      << "its padding depends on the size of its input";
}

TEST(FoldPad, OnlyZerosInSpatialDimensions) {
  EXPECT_FALSE(folds({"Conv", {}, kPads, 0.5F}));
  EXPECT_FALSE(folds({"Conv", {}, kPads, 0.0F, false, "reflect"}));
  EXPECT_FALSE(folds({"MaxPool", pool(), {0, 1, 1, 1, 0, 0, 1, 1}, 0.0F, true}));
  EXPECT_FALSE(folds({"Conv", {}, {0, 0, -1, 0, 0, 0, 0, 0}})) << "a crop";
}

TEST(FoldPad, IntoAveragePool) {
  EXPECT_TRUE(folds({"AveragePool", pool()}));
  EXPECT_TRUE(folds(
      {"AveragePool", pool({{"count_include_pad", std::int64_t{1}}, {"pads", Ints{1, 0, 1, 1}}})}));
  EXPECT_FALSE(folds({"AveragePool", pool({{"pads", Ints{1, 0, 1, 1}}})}))
      << "its own padding is left out of the mean";
  EXPECT_FALSE(folds({"AveragePool", pool({{"ceil_mode", std::int64_t{1}}})}));
  EXPECT_FALSE(folds({"AveragePool", pool(), {0, 0, 3, 0, 0, 0, 0, 0}}))
      << "ONNX wants pads below the kernel size";
}

TEST(FoldPad, IntoMaxPoolOnlyWhereZeroCannotWin) {
  EXPECT_TRUE(folds({"MaxPool", pool(), kPads, 0.0F, true}));
  EXPECT_FALSE(folds({"MaxPool", pool(), kPads, 0.0F, false})) << "0 beats negative numbers";
  EXPECT_FALSE(folds({"MaxPool", pool({{"ceil_mode", std::int64_t{1}}}), kPads, 0.0F, true}));
}

TEST(FoldPad, KnowsWhatIsNeverNegative) {
  const auto folds_behind = [](const std::string& op, float low) {
    Graph graph = build({"MaxPool", pool()});
    graph.add_initializer("low", Tensor::scalar(low));
    std::vector<std::string> inputs = {"x"};
    if (op == "Clip") inputs.push_back("low");
    graph.insert_before(*graph.producer("padded"), {op, inputs, {"bounded"}});
    graph.insert_before(*graph.producer("padded"), {"Mul", {"bounded", "bounded"}, {"square"}});
    graph.set_input(*graph.producer("padded"), 0, "square");
    const Graph original = graph;
    const bool folded = !fold_pad(graph).applied_to.empty();
    test::expect_same_outputs(original, graph, 0.0);
    return folded;
  };
  EXPECT_TRUE(folds_behind("Sigmoid", 0));
  EXPECT_TRUE(folds_behind("Clip", 0));
  EXPECT_FALSE(folds_behind("Clip", -1));
  EXPECT_FALSE(folds_behind("Tanh", 0));
}

TEST(FoldPad, AllReadersMustAgree) {
  Graph graph = build({"Conv", {}});
  graph.add_node({"AveragePool", {"padded"}, {"z"}, pool()});
  graph.add_output("z");
  Graph open = graph;
  const Graph original = graph;
  EXPECT_EQ(fold_pad(graph).applied_to.size(), 1U) << "both take it";
  EXPECT_EQ(test::count_nodes(graph, "Pad"), 0);
  test::expect_same_outputs(original, graph, 1e-6);

  open.add_node({"Relu", {"padded"}, {"r"}});
  open.add_output("r");
  const PassReport report = fold_pad(open);
  EXPECT_TRUE(report.applied_to.empty());
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "pad-not-folded");
  EXPECT_EQ(report.findings[0].where, "pad");
}

TEST(FoldPad, StaysWhenItsResultIsAnOutputOrItsPadsAreComputed) {
  Graph graph = build({"Conv", {}});
  graph.add_output("padded");
  EXPECT_TRUE(fold_pad(graph).applied_to.empty());

  Graph computed = build({"Conv", {}});
  computed.add_input("n", test::value_type(DType::kInt64, {{8, ""}}));
  computed.set_input(*computed.producer("padded"), 1, "n");
  EXPECT_TRUE(fold_pad(computed).applied_to.empty());
}

TEST(FoldPad, UnderstandsAxes) {
  Graph graph = build({"Conv", {}});
  graph.add_initializer("axes", test::ints({-1, 2}));
  graph.add_initializer("two_pads", test::ints({1, 2, 3, 0}));
  graph.set_input(*graph.producer("padded"), 1, "two_pads");
  graph.set_input(*graph.producer("padded"), 3, "axes");
  const Graph original = graph;
  EXPECT_EQ(fold_pad(graph).applied_to.size(), 1U);
  EXPECT_EQ(graph.producer("y")->ints_attribute("pads", {}), (Ints{2, 1, 0, 3}));
  test::expect_same_outputs(original, graph, 1e-6);
}

}  // namespace
}  // namespace hexquant::passes
