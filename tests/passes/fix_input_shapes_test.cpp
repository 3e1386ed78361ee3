#include "passes/fix_input_shapes.h"

#include "hexquant/error.h"
#include "passes/pass_testing.h"

namespace hexquant::passes {
namespace {

using graph::Graph;

Graph two_inputs() {
  Graph graph = test::empty_graph();
  graph.add_input("x", test::float_type({-1, 3}));
  graph.add_input("s", test::float_type({}));
  graph.add_node({"Mul", {"x", "s"}, {"y"}});
  graph.set_type("y", test::float_type({-1, 3}));
  graph.add_output("y");
  return graph;
}

std::string message_for(const std::map<std::string, Shape>& shapes) {
  Graph graph = two_inputs();
  try {
    fix_input_shapes(graph, shapes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "";
}

TEST(FixInputShapes, FixesFreeDimensions) {
  Graph graph = two_inputs();
  EXPECT_EQ(fix_input_shapes(graph, {{"x", {2, 3}}}).applied_to, std::vector<std::string>{"x"});
  EXPECT_EQ(graph.find_type("x")->fixed_shape(), (Shape{2, 3}));
  EXPECT_EQ(graph.find_type("y"), nullptr) << "may depend on the free dimension";
  EXPECT_TRUE(fix_input_shapes(graph, {{"x", {2, 3}}}).applied_to.empty());
}

TEST(FixInputShapes, LeavesEverythingWithoutShapes) {
  Graph graph = two_inputs();
  EXPECT_TRUE(fix_input_shapes(graph, {}).applied_to.empty());
  EXPECT_NE(graph.find_type("y"), nullptr);
}

TEST(FixInputShapes, NamesWhatIsWrong) {
  EXPECT_EQ(
      message_for({{"data", {1, 3}}}),
      "input shape for 'data': the model has no such input; its inputs are 'x' [N,3], 's' []");
  const std::string suffix = ": expected dimensions of at least 1 that fit [N,3]";
  EXPECT_EQ(message_for({{"x", {1, 4}}}), "input shape [1,4] for 'x'" + suffix);
  EXPECT_EQ(message_for({{"x", {1, 3, 1}}}), "input shape [1,3,1] for 'x'" + suffix);
  EXPECT_EQ(message_for({{"x", {0, 3}}}), "input shape [0,3] for 'x'" + suffix);
}

}  // namespace
}  // namespace hexquant::passes
