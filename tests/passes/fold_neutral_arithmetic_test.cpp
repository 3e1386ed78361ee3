#include "passes/fold_neutral_arithmetic.h"

#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::PatternBuilder;

TEST(FoldNeutralArithmetic, RemovesWhatReturnsItsOperand) {
  PatternBuilder b({2, 3});
  std::string y = b.op("Mul", {"x", b.scalar(1.0F)});
  y = b.op("Mul", {b.scalar(1.0F, {1}), y});
  y = b.op("Div", {y, b.scalar(1.0F)});
  y = b.op("Relu", {y});
  b.graph.set_type(y, test::float_type({2, 3}));
  y = b.op("Add", {y, b.scalar(0.0F)});
  y = b.op("Add", {b.scalar(0.0F), y});
  y = b.op("Sub", {y, b.scalar(0.0F, {1, 1})});
  y = b.op("Neg", {y});
  const graph::Graph changed = expect_applied(b.finish(y), fold_neutral_arithmetic, 6, 0.0);
  EXPECT_EQ(changed.nodes().size(), 2U);
}

TEST(FoldNeutralArithmetic, OtherArithmeticStays) {
  const auto unary = [](const std::string& op, float constant, bool first, const Shape& shape) {
    PatternBuilder b({2, 3});
    const std::string c = b.scalar(constant, shape);
    const std::string y = first ? b.op(op, {c, "x"}) : b.op(op, {"x", c});
    return b.finish(b.op("Neg", {y}));
  };
  expect_untouched(unary("Div", 1.0F, true, {}), fold_neutral_arithmetic);
  expect_untouched(unary("Sub", 0.0F, true, {}), fold_neutral_arithmetic);
  expect_untouched(unary("Mul", 0.0F, false, {}), fold_neutral_arithmetic);
  expect_untouched(unary("Add", 1.0F, false, {}), fold_neutral_arithmetic);
  expect_untouched(unary("Mul", 1.0000001F, false, {}), fold_neutral_arithmetic);
  expect_untouched(unary("Mul", 1.0F, false, {1, 1, 1}), fold_neutral_arithmetic);  // adds a rank
}

TEST(FoldNeutralArithmetic, KeepsTheNamesOfOutputs) {
  PatternBuilder b({2, 3});
  const std::string y = b.op("Mul", {b.op("Relu", {"x"}), b.scalar(1.0F)});
  const graph::Graph changed = expect_applied(b.finish(y), fold_neutral_arithmetic, 1, 0.0);
  EXPECT_EQ(changed.nodes().size(), 1U);

  PatternBuilder direct({2, 3});  // something has to compute the output
  expect_untouched(direct.finish(direct.op("Mul", {"x", direct.scalar(1.0F)})),
                   fold_neutral_arithmetic);
}

}  // namespace
}  // namespace hexquant::passes
