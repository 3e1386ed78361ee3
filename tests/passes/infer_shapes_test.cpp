#include "passes/infer_shapes.h"

#include "hexquant/error.h"
#include "passes/data_dependent_shapes.h"
#include "passes/free_dimensions.h"
#include "passes/pass_testing.h"

namespace hexquant::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::ValueType;
using Dims = std::vector<Dim>;

const Dim kFree{-1, ""};
const Dim kBatch{-1, "N"};

Dims dims_of(const Graph& graph, const std::string& value) {
  const ValueType* type = graph.find_type(value);
  if (type == nullptr || !type->shape) return {{-1, "unknown"}};
  return *type->shape;
}

/// x[N,4,W] -> flat [N, 4 W] by a computed shape, heads [8 N, ...].
Graph with_computed_shapes() {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::value_type(DType::kFloat32, {kBatch, {4, ""}, test::symbol("W")}));
  graph.add_initializer("flat_shape", test::ints({0, -1}));
  graph.add_initializer("heads_shape", test::ints({-1, 4}));
  graph.add_initializer("fixed_shape", test::ints({2, 2}));
  graph.add_initializer("c", test::floats({4}, {1, 2, 3, 4}));
  graph.add_node({"Reshape", {"x", "flat_shape"}, {"flat"}});
  graph.add_node({"Reshape", {"flat", "heads_shape"}, {"heads"}});
  graph.add_node({"Reshape", {"c", "fixed_shape"}, {"square"}});
  graph.add_node({"ReduceMean", {"x"}, {"mean"}, {{"keepdims", std::int64_t{0}}}});
  graph.add_node({"Shape", {"x"}, {"shape"}});
  for (const char* name : {"heads", "square", "mean", "shape"}) graph.add_output(name);
  return graph;
}

runtime::Feeds example(const Shape& shape) {
  return {{"x", test::random_floats(shape, 1)}};
}

TEST(InferShapes, TellsFixedFromFreeDimensions) {
  Graph graph = with_computed_shapes();
  const PassReport report = infer_shapes(graph, example({1, 4, 6}));
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(dims_of(graph, "flat"), (Dims{kBatch, kFree})) << "4 W follows no input dimension";
  EXPECT_EQ(dims_of(graph, "heads"), (Dims{kFree, {4, ""}})) << "N W likewise";
  EXPECT_EQ(dims_of(graph, "square"), (Dims{{2, ""}, {2, ""}}));
  EXPECT_EQ(dims_of(graph, "mean"), Dims{});
  EXPECT_EQ(dims_of(graph, "shape"), (Dims{{3, ""}}));
  EXPECT_EQ(graph.find_type("shape")->dtype, DType::kInt64);
  EXPECT_EQ(dims_of(graph, "x"), (Dims{kBatch, {4, ""}, {-1, "W"}})) << "the input is untouched";
}

TEST(InferShapes, FixedInputsGiveFixedShapes) {
  Graph graph = with_computed_shapes();
  graph.set_input_type("x", test::float_type({2, 4, 3}));
  (void)infer_shapes(graph, {});
  EXPECT_EQ(graph.find_type("flat")->fixed_shape(), (Shape{2, 12}));
  EXPECT_EQ(graph.find_type("heads")->fixed_shape(), (Shape{6, 4}));
}

TEST(InferShapes, UnnamedDimensionsStayUnnamed) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::value_type(DType::kFloat32, {kFree, {3, ""}}));
  graph.add_node({"Relu", {"x"}, {"y"}});
  graph.add_output("y");
  (void)infer_shapes(graph, {});
  EXPECT_EQ(dims_of(graph, "y"), (Dims{kFree, {3, ""}}));
}

TEST(InferShapes, WrongTypesInTheFileDoNoHarm) {
  Graph graph = with_computed_shapes();
  graph.set_type("flat", test::float_type({7, 7, 7}));
  (void)infer_shapes(graph, example({1, 4, 6}));
  EXPECT_EQ(dims_of(graph, "flat"), (Dims{kBatch, kFree}));
}

TEST(InferShapes, DataDependentShapesAreNotMeasured) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({4}));
  graph.add_node({"NonZero", {"x"}, {"places"}});
  graph.add_node({"Cast", {"places"}, {"floats"}, {{"to", std::int64_t{1}}}});
  graph.add_output("floats");
  (void)infer_shapes(graph, {{"x", test::floats({4}, {1, 0, 2, 3})}});
  EXPECT_EQ(dims_of(graph, "floats"), (Dims{{1, ""}, kFree})) << "3 in this run only";
}

TEST(InferShapes, GuessesASizeWithWhichTheModelRuns) {
  // A 5-wide window without padding needs W >= 5: 1 fails, 32 runs.
  Graph graph = test::empty_graph();
  graph.add_input("x", test::value_type(DType::kFloat32, {kBatch, {1, ""}, test::symbol("W")}));
  graph.add_initializer("w", test::floats({2, 1, 5}, std::vector<float>(10, 1.0F)));
  graph.add_initializer("flat_shape", test::ints({0, -1}));
  graph.add_node({"Conv", {"x", "w"}, {"conv"}});
  graph.add_node({"Reshape", {"conv", "flat_shape"}, {"y"}});
  graph.add_output("y");
  const PassReport report = infer_shapes(graph, {});
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(dims_of(graph, "conv"), (Dims{kBatch, {2, ""}, kFree}));
  EXPECT_EQ(dims_of(graph, "y"), (Dims{kBatch, kFree}));
}

TEST(InferShapes, HalvesWhereDoublingFails) {
  // A table of 8 positions: 12 do not fit, 3 do.
  Graph graph = test::empty_graph();
  graph.add_input("x", test::value_type(DType::kFloat32, {kBatch, test::symbol("L")}));
  graph.add_initializer("table", test::floats({8}, std::vector<float>(8, 1.0F)));
  graph.add_initializer("one", test::ints({1}));
  graph.add_initializer("zero", test::ints({0}));
  graph.add_initializer("step", Tensor::scalar(std::int64_t{1}));
  graph.add_initializer("start", Tensor::scalar(std::int64_t{0}));
  graph.add_initializer("second", Tensor::scalar(std::int64_t{1}));
  graph.add_node({"Shape", {"x"}, {"shape"}});
  graph.add_node({"Gather", {"shape", "second"}, {"length"}});
  graph.add_node({"Range", {"start", "length", "step"}, {"positions"}});
  graph.add_node({"Gather", {"table", "positions"}, {"embedded"}});
  graph.add_node({"Add", {"x", "embedded"}, {"y"}});
  graph.add_output("y");
  const PassReport report = infer_shapes(graph, example({1, 6}));
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(dims_of(graph, "embedded"), (Dims{{-1, "L"}}));
}

TEST(InferShapes, SeesDimensionsThatAreCutOff) {
  // x[:, :5] has 5 columns for 8 and for 16, but 4 for 4.
  Graph graph = test::empty_graph();
  graph.add_input("x", test::value_type(DType::kFloat32, {kBatch, test::symbol("L")}));
  graph.add_initializer("begin", test::ints({0}));
  graph.add_initializer("end", test::ints({5}));
  graph.add_initializer("axis", test::ints({1}));
  graph.add_node({"Slice", {"x", "begin", "end", "axis"}, {"y"}});
  graph.add_output("y");
  (void)infer_shapes(graph, example({1, 8}));
  EXPECT_EQ(dims_of(graph, "y"), (Dims{kBatch, kFree}));
}

TEST(InferShapes, SaysWhenAFreeDimensionCannotVary) {
  // Reshape to a constant batch of 1.
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({-1, 6}));
  graph.add_initializer("shape", test::ints({1, 2, 3}));
  graph.add_initializer("flat", test::ints({-1}));
  graph.add_node({"Reshape", {"x", "shape"}, {"a"}});
  graph.add_node({"Reshape", {"a", "flat"}, {"b"}});
  graph.add_node({"NonZero", {"b"}, {"c"}});
  graph.add_node({"Transpose", {"c"}, {"y"}});
  graph.add_output("y");
  const PassReport report = infer_shapes(graph, example({1, 6}));
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "free-dimension-untested");
  EXPECT_EQ(report.findings[0].where, "N");
  EXPECT_EQ(dims_of(graph, "y").size(), 2U);
  EXPECT_EQ(dims_of(graph, "y")[0], kFree);
}

TEST(InferShapes, AModelThatDoesNotRunIsAFinding) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::value_type(DType::kFloat32, {kBatch, test::symbol("W")}));
  graph.add_initializer("shape", test::ints({-1, 7919}));
  graph.add_node({"Reshape", {"x", "shape"}, {"a"}, {}, "reshape", ""});
  graph.add_node({"NonZero", {"a"}, {"y"}});
  graph.add_output("y");
  const PassReport report = infer_shapes(graph, {});
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].id, "shapes-unknown");
  EXPECT_EQ(dims_of(graph, "a")[1], (Dim{7919, ""})) << "what inference knows is kept";
}

TEST(InferShapes, UnknownOperatorsAreErrorsThatNameTheNode) {
  Graph graph = test::empty_graph();
  graph.opsets["my.domain"] = 1;
  graph.add_input("x", test::float_type({2}));
  graph.add_node({"Frobnicate", {"x"}, {"y"}, {}, "strange_node", "my.domain"});
  graph.add_output("y");
  try {
    (void)infer_shapes(graph, {});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidModel);
    const std::string message = error.what();
    EXPECT_NE(message.find("strange_node"), std::string::npos) << message;
    EXPECT_NE(message.find("Frobnicate"), std::string::npos) << message;
  }
}

TEST(InferShapes, ExamplesThatDoNotFitAreErrors) {
  Graph graph = with_computed_shapes();
  EXPECT_THROW((void)infer_shapes(graph, example({1, 5, 6})), Error);
}

TEST(DeclareShapes, SetsOnlyWhatIsCertain) {
  Graph graph = with_computed_shapes();
  graph.set_type("heads", test::float_type({7}));
  (void)declare_shapes(graph);
  EXPECT_EQ(dims_of(graph, "square"), (Dims{{2, ""}, {2, ""}}));
  EXPECT_EQ(graph.find_type("flat"), nullptr);
  EXPECT_EQ(graph.find_type("heads"), nullptr) << "stale";
}

TEST(CompleteShapes, TrustsKnownTypesAndAddsTheOthers) {
  Graph graph = with_computed_shapes();
  (void)infer_shapes(graph, example({1, 4, 6}));
  EXPECT_TRUE(complete_shapes(graph, {}).applied_to.empty());
  graph.set_type("mean", test::float_type({1}));
  graph.add_node({"Relu", {"flat"}, {"positive"}});
  graph.add_output("positive");
  const PassReport report = complete_shapes(graph, example({1, 4, 6}));
  EXPECT_EQ(report.applied_to, std::vector<std::string>{"positive"});
  EXPECT_EQ(dims_of(graph, "mean"), (Dims{{1, ""}}));
  EXPECT_EQ(dims_of(graph, "positive"), (Dims{kBatch, kFree}));
}

TEST(DataDependentShapes, FollowsDataIntoShapes) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({4}));
  graph.add_input("n", test::value_type(DType::kInt64, {{1, ""}}));
  graph.add_node({"Shape", {"x"}, {"shape"}});
  graph.add_node({"ConstantOfShape", {"shape"}, {"zeros"}});
  graph.add_node({"NonZero", {"zeros"}, {"places_of_shape"}});
  graph.add_node({"Expand", {"x", "n"}, {"expanded"}});
  graph.add_node({"Relu", {"expanded"}, {"relu"}});
  graph.add_node({"Shape", {"relu"}, {"relu_shape"}});
  graph.add_node({"Reshape", {"x", "relu_shape"}, {"reshaped"}});
  graph.add_node({"NonZero", {"x"}, {"places"}});
  const auto names = data_dependent_shapes(graph);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()),
            (std::set<std::string>{"expanded", "relu", "reshaped", "places"}));
}

TEST(FreeDimensions, RepeatsAndCutsTheExampleAlongFreeAxes) {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::value_type(DType::kFloat32, {kBatch, {2, ""}, test::symbol("W")}));
  graph.add_input("y", test::value_type(DType::kInt64, {kBatch}));
  const FreeDimensions free(graph);
  EXPECT_EQ(free.symbols(true), std::vector<std::string>{"N"});
  EXPECT_EQ(free.symbols(false), std::vector<std::string>{"W"});
  const runtime::Feeds given = {{"x", test::floats({1, 2, 2}, {1, 2, 3, 4})}};
  EXPECT_EQ(free.example_sizes(given, 9), (Sizes{{"N", 1}, {"W", 2}}));
  EXPECT_EQ(free.example_sizes({}, 9), (Sizes{{"N", 1}, {"W", 9}}));
  const auto feeds = free.feeds(given, {{"N", 2}, {"W", 3}});
  EXPECT_EQ(feeds.at("x"), test::floats({2, 2, 3}, {1, 2, 1, 3, 4, 3, 1, 2, 1, 3, 4, 3}));
  EXPECT_EQ(feeds.at("y"), test::ints({0, 0}));
  EXPECT_EQ(free.feeds(given, {{"N", 1}, {"W", 1}}).at("x"), test::floats({1, 2, 1}, {1, 3}));
}

}  // namespace
}  // namespace hexquant::passes
