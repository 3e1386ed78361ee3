#include "passes/propagate_shapes.h"

#include "passes/infer_shapes.h"
#include "passes/pass_testing.h"
#include "passes/shape_arithmetic.h"
#include "passes/shape_values.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using Ints = std::vector<std::int64_t>;

/// x[N,3,8,6] with Shape(x) -> shape.
Graph with_shape(const Shape& shape = {-1, 3, 8, 6}) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type(shape));
  graph.add_node({"Shape", {"x"}, {"shape"}});
  return graph;
}

void scalar(Graph& graph, const std::string& name, std::int64_t value) {
  graph.add_initializer(name, Tensor::scalar(value));
}
void list(Graph& graph, const std::string& name, const Ints& values) {
  graph.add_initializer(name, test::ints(values));
}

/// Infers, runs the pass, checks the function for several batches; returns the changed graph.
Graph propagated(Graph graph) {
  (void)infer_shapes(graph, {});
  const Graph original = graph;
  (void)propagate_shapes(graph);
  for (const std::int64_t batch : {1, 2, 5}) {
    test::expect_same_outputs(original, graph, 0.0, {{"N", batch}});
  }
  return graph;
}

TEST(PropagateShapes, FoldsFixedDimensionsBehindAFreeBatch) {
  // Pads for "same" convolution, computed from height and width as exporters do.
  Graph graph = with_shape();
  scalar(graph, "two", 2);
  scalar(graph, "height", 2);
  list(graph, "axis", {0});
  list(graph, "zeros", {0, 0});
  graph.add_node({"Gather", {"shape", "height"}, {"h"}});
  graph.add_node({"Mod", {"h", "two"}, {"odd"}});
  graph.add_node({"Add", {"odd", "two"}, {"pad"}});
  graph.add_node({"Unsqueeze", {"pad", "axis"}, {"pad_list"}});
  graph.add_node({"Concat",
                  {"zeros", "pad_list", "pad_list", "zeros", "pad_list", "pad_list"},
                  {"pads"},
                  {{"axis", std::int64_t{0}}}});
  graph.add_node({"Pad", {"x", "pads"}, {"y"}});
  graph.add_output("y");
  const Graph result = propagated(graph);
  EXPECT_EQ(result.nodes().size(), 1U);
  EXPECT_EQ(*result.find_initializer("pads"), test::ints({0, 0, 2, 2, 0, 0, 2, 2}));
}

TEST(PropagateShapes, ReshapeGetsAConstantTarget) {
  // x.view(x.size(0), -1) and x.view(n, 3, 48)
  Graph graph = with_shape();
  scalar(graph, "first", 0);
  list(graph, "axis", {0});
  list(graph, "rest", {-1});
  list(graph, "channels", {3, 48});
  graph.add_node({"Gather", {"shape", "first"}, {"n"}});
  graph.add_node({"Unsqueeze", {"n", "axis"}, {"n_list"}});
  graph.add_node({"Concat", {"n_list", "rest"}, {"flat_shape"}, {{"axis", std::int64_t{0}}}});
  graph.add_node({"Concat", {"n_list", "channels"}, {"view_shape"}, {{"axis", std::int64_t{0}}}});
  graph.add_node({"Reshape", {"x", "flat_shape"}, {"flat"}});
  graph.add_node({"Reshape", {"x", "view_shape"}, {"view"}});
  graph.add_output("flat");
  graph.add_output("view");
  const Graph result = propagated(graph);
  EXPECT_EQ(result.nodes().size(), 2U);
  EXPECT_EQ(*result.find_initializer(result.producer("flat")->input(1)), test::ints({0, -1}));
  EXPECT_EQ(*result.find_initializer(result.producer("view")->input(1)), test::ints({0, 3, 48}));
}

TEST(PropagateShapes, ATargetThatMovesTheBatchGetsMinusOne) {
  Graph graph = with_shape();
  list(graph, "head", {144});
  list(graph, "begin", {0});
  list(graph, "end", {1});
  graph.add_node({"Slice", {"shape", "begin", "end"}, {"n"}});
  graph.add_node({"Concat", {"head", "n"}, {"target"}, {{"axis", std::int64_t{0}}}});
  graph.add_node({"Reshape", {"x", "target"}, {"y"}});
  graph.add_output("y");
  const Graph result = propagated(graph);
  EXPECT_EQ(*result.find_initializer(result.producer("y")->input(1)), test::ints({144, -1}));
}

TEST(PropagateShapes, TwoOpenElementsStay) {
  Graph graph = with_shape();
  list(graph, "begin", {0});
  list(graph, "end", {1});
  list(graph, "tail", {-1});
  graph.add_node({"Slice", {"shape", "begin", "end"}, {"n"}});
  graph.add_node({"Concat", {"tail", "n"}, {"target"}, {{"axis", std::int64_t{0}}}});
  graph.add_node({"Reshape", {"x", "target"}, {"y"}});
  graph.add_output("y");
  EXPECT_EQ(propagated(graph).nodes().size(), 4U) << "(-1, N) has no constant form";
}

TEST(PropagateShapes, ExpandKeepsTheFreeDimension) {
  // expand(-1, 3, 8, 6) as PyTorch exports it: Where(shape == -1, ones, shape).
  Graph graph = with_shape({-1, 3, 1, 6});
  list(graph, "wanted", {-1, -1, 8, -1});
  scalar(graph, "minus_one", -1);
  graph.add_node({"Equal", {"wanted", "minus_one"}, {"is_free"}});
  graph.add_node({"Where", {"is_free", "shape", "wanted"}, {"target"}});
  graph.add_node({"Expand", {"x", "target"}, {"y"}});
  graph.add_output("y");
  const Graph result = propagated(graph);
  EXPECT_EQ(result.nodes().size(), 1U);
  EXPECT_EQ(*result.find_initializer(result.producer("y")->input(1)), test::ints({1, 3, 8, 6}));
}

TEST(PropagateShapes, WhatDependsOnTheBatchStays) {
  Graph graph = with_shape();
  scalar(graph, "first", 0);
  scalar(graph, "three", 3);
  graph.add_node({"Gather", {"shape", "first"}, {"n"}});
  graph.add_node({"Mul", {"n", "three"}, {"y"}});
  graph.add_output("y");
  EXPECT_EQ(propagated(graph).nodes().size(), 3U);
}

TEST(PropagateShapes, WithAFixedBatchEverythingFolds) {
  Graph graph = with_shape({2, 3, 8, 6});
  scalar(graph, "first", 0);
  graph.add_node({"Gather", {"shape", "first"}, {"n"}});
  graph.add_node({"Size", {"x"}, {"size"}});
  graph.add_node({"Div", {"size", "n"}, {"each"}});
  graph.add_node({"Cast", {"each"}, {"scale"}, {{"to", std::int64_t{1}}}});
  graph.add_node({"Mul", {"x", "scale"}, {"y"}});
  graph.add_output("y");
  const Graph result = propagated(graph);
  EXPECT_EQ(result.nodes().size(), 1U);
  EXPECT_EQ(*result.find_initializer("scale"), Tensor::scalar(144.0F));
}

TEST(PropagateShapes, ShapesThatDependOnDataStay) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({6}));
  graph.add_node({"NonZero", {"x"}, {"places"}});
  graph.add_node({"Shape", {"places"}, {"y"}});
  graph.add_node({"Size", {"places"}, {"z"}});
  graph.add_output("y");
  graph.add_output("z");
  EXPECT_EQ(propagated(graph).nodes().size(), 3U);
}

TEST(PropagateShapes, ShapeWithBounds) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({-1, 3, 8, 6}));
  graph.add_node(
      {"Shape", {"x"}, {"middle"}, {{"start", std::int64_t{-3}}, {"end", std::int64_t{3}}}});
  graph.add_node({"ConstantOfShape", {"middle"}, {"zeros"}});
  graph.add_node({"Relu", {"zeros"}, {"y"}});
  graph.add_output("y");
  const Graph result = propagated(graph);
  EXPECT_EQ(result.find_initializer("zeros")->shape(), (Shape{3, 8}));
}

ShapeTensor tensor(const std::vector<ShapeElement>& elements) {
  return {DType::kInt64, {static_cast<std::int64_t>(elements.size())}, elements};
}

std::vector<std::optional<std::int64_t>> combined(const std::string& op, const ShapeTensor& a,
                                                  const ShapeTensor& b) {
  Graph graph = test::empty_graph();
  const auto result = combine(graph.add_node({op, {"a", "b"}, {"c"}}), a, b);
  std::vector<std::optional<std::int64_t>> values;
  for (const auto& element : result->elements) values.push_back(element.value);
  return values;
}

TEST(ShapeArithmetic, ComputesKnownAndDeducesUnknownElements) {
  using Values = std::vector<std::optional<std::int64_t>>;
  const ShapeElement n{std::nullopt, "N"};
  const ShapeElement anything{};
  const auto number = [](std::int64_t value) { return ShapeElement{value, ""}; };
  EXPECT_EQ(combined("Div", tensor({number(-7), number(7), number(1)}),
                     tensor({number(2), number(2), number(0)})),
            (Values{-3, 3, std::nullopt}));
  EXPECT_EQ(combined("Mod", tensor({number(-7), number(7)}), tensor({number(3), number(-3)})),
            (Values{2, -2}));
  EXPECT_EQ(combined("Mul", tensor({n, n, anything}), tensor({number(0), number(2), number(0)})),
            (Values{0, std::nullopt, 0}));
  EXPECT_EQ(
      combined("Equal", tensor({n, n, n, anything}), tensor({number(-1), number(1), n, anything})),
      (Values{0, std::nullopt, 1, std::nullopt}));
  EXPECT_EQ(combined("Sub", tensor({number(1), number(2)}), tensor({number(5)})), (Values{-4, -3}));
}

TEST(ShapeArithmetic, SlicesAsOnnxDoes) {
  const auto sliced_values = [](std::int64_t begin, std::int64_t end, std::int64_t step) {
    Ints values;
    const ShapeTensor data = tensor({{0, ""}, {1, ""}, {2, ""}, {3, ""}});
    for (const auto& element : sliced(data, begin, end, step).elements) {
      values.push_back(*element.value);
    }
    return values;
  };
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(sliced_values(1, kMax, 1), (Ints{1, 2, 3}));
  EXPECT_EQ(sliced_values(-2, 4, 1), (Ints{2, 3}));
  EXPECT_EQ(sliced_values(-1, kMin, -1), (Ints{3, 2, 1, 0}));
  EXPECT_EQ(sliced_values(kMin, kMax, 2), (Ints{0, 2}));
  EXPECT_EQ(sliced_values(3, 0, -2), (Ints{3, 1}));
  EXPECT_EQ(sliced_values(0, kMax, kMax), (Ints{0}));
  EXPECT_EQ(sliced_values(2, 1, 1), Ints{});
}

}  // namespace
}  // namespace hexquant::passes
