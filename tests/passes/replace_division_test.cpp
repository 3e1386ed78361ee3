#include "passes/replace_division.h"

#include <limits>

#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::floats;
using test::only_node;
using test::PatternBuilder;

/// 1 / c and the product round once each: 2 * 2^-24, relative to the largest value.
constexpr double kTwoRoundings = 1.2e-7;

TEST(ReplaceDivision, ByAConstant) {
  PatternBuilder b({2, 3});
  const std::string scalar = b.op("Div", {"x", b.scalar(5.656854F)});
  const std::string y = b.op("Div", {scalar, b.constant(floats({3}, {4.0F, -3.0F, 0.1F}))});
  const graph::Graph changed =
      expect_applied(b.finish(y), replace_division, 2, 2.0 * kTwoRoundings);
  EXPECT_EQ(test::count_nodes(changed, "Mul"), 2);
  const graph::Node& last = *changed.producer(y);
  EXPECT_EQ(changed.find_initializer(last.input(1))->data<float>()[0], 0.25F);
}

TEST(ReplaceDivision, SharedConstantKeepsItsOtherReader) {
  PatternBuilder b({2, 3});
  const std::string c = b.scalar(3.0F);
  const std::string y = b.op("Add", {b.op("Div", {"x", c}), c});
  expect_applied(b.finish(y), replace_division, 1, kTwoRoundings);
}

TEST(ReplaceDivision, OtherDivisionsStay) {
  const auto by = [](float divisor) {
    PatternBuilder b({2, 3});
    return b.finish(b.op("Div", {"x", b.scalar(divisor)}));
  };
  expect_untouched(by(0.0F), replace_division);
  expect_untouched(by(std::numeric_limits<float>::infinity()), replace_division);
  expect_untouched(by(std::numeric_limits<float>::quiet_NaN()), replace_division);
  expect_untouched(by(3e38F), replace_division);  // the reciprocal is subnormal

  PatternBuilder constant_first({2, 3});
  expect_untouched(
      constant_first.finish(constant_first.op("Div", {constant_first.scalar(1.0F), "x"})),
      replace_division);
  PatternBuilder dynamic({2, 3});
  expect_untouched(dynamic.finish(dynamic.op("Div", {dynamic.op("Neg", {"x"}), "x"})),
                   replace_division);
}

TEST(ReplaceDivision, IntegersStay) {
  graph::Graph graph = test::empty_graph();
  graph.add_input("x", test::value_type(DType::kInt64, {{4, ""}}));
  graph.add_initializer("two", test::ints({2}));
  graph.add_node({"Div", {"x", "two"}, {"y"}});
  graph.add_output("y");
  expect_untouched(graph, replace_division);
}

}  // namespace
}  // namespace hexquant::passes
