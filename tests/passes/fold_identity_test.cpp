#include "passes/fold_identity.h"

#include "passes/infer_shapes.h"
#include "passes/pass_testing.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::NodeSpec;
using Ints = std::vector<std::int64_t>;

/// x[N,2,3,4] -> nodes -> Relu -> y. The nodes' last output is "last".
Graph chain(const std::vector<NodeSpec>& nodes, const Shape& shape = {-1, 2, 3, 4}) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type(shape));
  for (const NodeSpec& node : nodes) graph.add_node(node);
  graph.add_node({"Relu", {"last"}, {"y"}, {}, "relu", ""});
  graph.add_output("y");
  return graph;
}

void add_ints(Graph& graph, const std::string& name, const Ints& values) {
  graph.add_initializer(name, test::ints(values));
}

/// Runs the pass with types known; checks the function; returns the nodes left before Relu.
std::size_t nodes_left(Graph graph) {
  (void)infer_shapes(graph, {});
  const Graph original = graph;
  (void)fold_identity(graph);
  test::expect_same_outputs(original, graph, 0.0, {{"N", 3}});
  return graph.nodes().size() - 1;
}

TEST(FoldIdentity, RemovesNodesThatDoNothing) {
  EXPECT_EQ(nodes_left(chain({{"Identity", {"x"}, {"a"}}, {"Identity", {"a"}, {"last"}}})), 0U);
  EXPECT_EQ(nodes_left(chain({{"Dropout", {"x"}, {"last", "mask"}}})), 0U);
  EXPECT_EQ(nodes_left(chain({{"Cast", {"x"}, {"last"}, {{"to", std::int64_t{1}}}}})), 0U);
  EXPECT_EQ(nodes_left(chain({{"Concat", {"x"}, {"last"}, {{"axis", std::int64_t{1}}}}})), 0U);
  EXPECT_EQ(nodes_left(chain({{"Sum", {"x"}, {"last"}}})), 0U);
  EXPECT_EQ(nodes_left(chain({{"Transpose", {"x"}, {"last"}, {{"perm", Ints{0, 1, 2, 3}}}}})), 0U);
}

TEST(FoldIdentity, KeepsNodesThatDoSomething) {
  EXPECT_EQ(nodes_left(chain({{"Cast", {"x"}, {"a"}, {{"to", std::int64_t{7}}}},
                              {"Cast", {"a"}, {"last"}, {{"to", std::int64_t{1}}}}})),
            2U)
      << "rounding through integers";
  EXPECT_EQ(nodes_left(chain({{"Concat", {"x", "x"}, {"last"}, {{"axis", std::int64_t{1}}}}})), 1U);
  EXPECT_EQ(nodes_left(chain({{"Transpose", {"x"}, {"last"}, {{"perm", Ints{0, 2, 1, 3}}}}})), 1U);
  Graph pad = chain({{"Pad", {"x", "pads"}, {"last"}}});
  add_ints(pad, "pads", {0, 0, 0, 0, 0, 0, 1, 0});
  EXPECT_EQ(nodes_left(pad), 1U);
}

TEST(FoldIdentity, FoldsPadsSlicesAndExpandsThatKeepTheShape) {
  Graph pad = chain({{"Pad", {"x", "pads"}, {"last"}}});
  add_ints(pad, "pads", Ints(8, 0));
  EXPECT_EQ(nodes_left(pad), 0U);

  Graph slice = chain({{"Slice", {"x", "start", "end", "axis"}, {"last"}}});
  add_ints(slice, "start", {0});
  add_ints(slice, "end", {std::numeric_limits<std::int64_t>::max()});
  add_ints(slice, "axis", {2});
  EXPECT_EQ(nodes_left(slice), 0U);

  Graph reversed = chain({{"Slice", {"x", "start", "end", "axis", "step"}, {"last"}}});
  add_ints(reversed, "start", {-1});
  add_ints(reversed, "end", {std::numeric_limits<std::int64_t>::min()});
  add_ints(reversed, "axis", {2});
  add_ints(reversed, "step", {-1});
  EXPECT_EQ(nodes_left(reversed), 1U) << "same shape, other order";

  Graph expand = chain({{"Expand", {"x", "shape"}, {"last"}}});
  add_ints(expand, "shape", {3, 4});
  EXPECT_EQ(nodes_left(expand), 0U);
  Graph larger = chain({{"Expand", {"x", "shape"}, {"last"}}}, {2, 1, 3, 4});
  add_ints(larger, "shape", {2, 5, 3, 4});
  EXPECT_EQ(nodes_left(larger), 1U);
}

TEST(FoldIdentity, ASliceOfAFreeDimensionMayCutMoreThanWasMeasured) {
  Graph graph = chain({{"Slice", {"x", "start", "end", "axis"}, {"last"}}});
  add_ints(graph, "start", {0});
  add_ints(graph, "end", {4});
  add_ints(graph, "axis", {0});
  (void)infer_shapes(graph, {});
  ASSERT_EQ(graph.find_type("last")->shape->front().symbol, "N") << "as seen for N = 1 and 2";
  const Graph original = graph;
  EXPECT_TRUE(fold_identity(graph).applied_to.empty());
  test::expect_same_outputs(original, graph, 0.0, {{"N", 6}});
}

TEST(FoldIdentity, MergesTransposes) {
  const Ints to_nhwc = {0, 2, 3, 1};
  const Ints to_nchw = {0, 3, 1, 2};
  EXPECT_EQ(nodes_left(chain({{"Transpose", {"x"}, {"a"}, {{"perm", to_nhwc}}},
                              {"Transpose", {"a"}, {"last"}, {{"perm", to_nchw}}}})),
            1U)
      << "the first one has lost its reader and is dead code";
  Graph twice = chain({{"Transpose", {"x"}, {"a"}, {{"perm", to_nhwc}}},
                       {"Transpose", {"a"}, {"last"}, {{"perm", to_nhwc}}}});
  (void)infer_shapes(twice, {});
  const Graph original = twice;
  (void)fold_identity(twice);
  EXPECT_EQ(twice.producer("last")->ints_attribute("perm", {}), (Ints{0, 3, 1, 2}));
  test::expect_same_outputs(original, twice, 0.0);
}

TEST(FoldIdentity, RemovesChainsOfReshapesThatReturnToTheirShape) {
  Graph graph = chain({{"Reshape", {"x", "flat"}, {"a"}},
                       {"Unsqueeze", {"a", "axis"}, {"b"}},
                       {"Reshape", {"b", "back"}, {"last"}}});
  add_ints(graph, "flat", {0, -1});
  add_ints(graph, "axis", {1});
  add_ints(graph, "back", {-1, 2, 3, 4});
  EXPECT_EQ(nodes_left(graph), 2U) << "the two in front are dead code now";

  Graph other = chain({{"Reshape", {"x", "flat"}, {"a"}}, {"Reshape", {"a", "back"}, {"last"}}});
  add_ints(other, "flat", {0, -1});
  add_ints(other, "back", {-1, 3, 2, 4});
  EXPECT_EQ(nodes_left(other), 2U);
}

TEST(FoldIdentity, DoesNotTakeTwoFreeDimensionsForEqual) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::value_type(DType::kFloat32, {test::symbol(""), test::symbol("")}));
  graph.add_input("shape", test::value_type(DType::kInt64, {{2, ""}}));
  graph.add_node({"Reshape", {"x", "shape"}, {"a"}});
  graph.set_type("a", test::value_type(DType::kFloat32, {test::symbol(""), test::symbol("")}));
  graph.add_node({"Relu", {"a"}, {"y"}});
  graph.add_output("y");
  EXPECT_TRUE(fold_identity(graph).applied_to.empty());
}

TEST(FoldIdentity, KeepsTheNamesOfOutputsAndCapturedValues) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({2}));
  graph.add_node({"Relu", {"x"}, {"a"}, {}, "relu", ""});
  graph.add_node({"Identity", {"a"}, {"y"}});
  graph.add_node({"Neg", {"a"}, {"z"}});
  graph.add_output("y");
  graph.add_output("z");
  const Graph original = graph;
  (void)fold_identity(graph);
  EXPECT_EQ(count(graph.outputs().begin(), graph.outputs().end(), "y"), 1);
  EXPECT_EQ(graph.producer("y")->name(), "relu");
  EXPECT_EQ(graph.producer("z")->input(0), "y");
  test::expect_same_outputs(original, graph, 0.0);

  graph.add_node({"Identity", {"z"}, {"captured"}, {}, "copy", ""});
  graph.add_node({"If", {"x"}, {"w"}, {{"then_branch", graph::OpaqueAttribute{"", {"captured"}}}}});
  (void)fold_identity(graph);
  EXPECT_TRUE(graph.is_captured("captured"));
  EXPECT_EQ(graph.producer("captured")->name(), "copy") << "z is an output, so both names stay";
}

TEST(FoldIdentity, KeepsWhatConnectsInputsAndConstantsToOutputs) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({2}));
  graph.add_initializer("c", test::floats({2}, {1, 2}));
  graph.add_node({"Identity", {"x"}, {"y"}});
  graph.add_node({"Identity", {"c"}, {"z"}});
  graph.add_node({"Constant", {}, {"w"}, {{"value_float", 3.0F}}});
  for (const char* name : {"y", "z", "w"}) graph.add_output(name);
  const Graph original = graph;
  EXPECT_TRUE(fold_identity(graph).applied_to.empty());
  test::expect_same_outputs(original, graph, 0.0);
}

TEST(FoldIdentity, BiasBehindIdentityIsReadDirectly) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({1, 2}));
  graph.add_initializer("w", test::floats({2, 2}, {1, 2, 3, 4}));
  graph.add_initializer("b", test::floats({2}, {0.5F, -0.5F}));
  graph.add_node({"Identity", {"b"}, {"b_alias"}});
  graph.add_node({"Gemm", {"x", "w", "b_alias"}, {"y"}});
  graph.add_output("y");
  const Graph original = graph;
  (void)fold_identity(graph);
  EXPECT_EQ(graph.producer("y")->input(2), "b");
  EXPECT_EQ(graph.nodes().size(), 1U);
  test::expect_same_outputs(original, graph, 0.0);
}

TEST(FoldIdentity, ConstantsOfEveryKindBecomeInitializers) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({2}));
  graph.add_node({"Constant", {}, {"a"}, {{"value", test::floats({2}, {1, 2})}}});
  graph.add_node({"Constant", {}, {"b"}, {{"value_float", 0.5F}}});
  graph.add_node({"Constant", {}, {"c"}, {{"value_floats", std::vector<float>{3, 4}}}});
  graph.add_node({"Constant", {}, {"d"}, {{"value_int", std::int64_t{1}}}});
  graph.add_node({"Constant", {}, {"e"}, {{"value_ints", Ints{2}}}});
  graph.add_node({"Constant", {}, {"text"}, {{"value_string", std::string("s")}}});
  graph.add_node({"Sum", {"x", "a", "b", "c"}, {"y"}});
  graph.add_output("y");
  const PassReport report = fold_identity(graph);
  EXPECT_EQ(report.applied_to.size(), 5U);
  EXPECT_EQ(*graph.find_initializer("b"), Tensor::scalar(0.5F));
  EXPECT_EQ(*graph.find_initializer("c"), test::floats({2}, {3, 4}));
  EXPECT_EQ(*graph.find_initializer("d"), Tensor::scalar(std::int64_t{1}));
  EXPECT_EQ(*graph.find_initializer("e"), test::ints({2}));
  EXPECT_EQ(test::count_nodes(graph, "Constant"), 1) << "text stays a node";
}

TEST(FoldIdentity, DropoutThatTrainsOrWhoseMaskIsReadStays) {
  Graph trains = chain({{"Dropout", {"x", "", "training"}, {"last"}}});
  Tensor yes(DType::kBool, {});
  yes.mutable_data<bool>()[0] = true;
  trains.add_initializer("training", yes);
  EXPECT_TRUE(fold_identity(trains).applied_to.empty());
  Graph masked = chain({{"Dropout", {"x"}, {"last", "mask"}}});
  masked.add_output("mask");
  EXPECT_TRUE(fold_identity(masked).applied_to.empty());
}

}  // namespace
}  // namespace hexquant::passes
