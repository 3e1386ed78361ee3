#include "passes/fold_matmul_add.h"

#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::only_node;
using test::PatternBuilder;
using test::random_floats;

graph::Graph product_and_sum(const Shape& x, const Shape& bias, bool swapped = false) {
  PatternBuilder b(x);
  const std::string y = b.op("MatMul", {"x", b.constant(random_floats({4, 5}, 3))});
  const std::string c = b.constant(random_floats(bias, 4));
  return b.finish(
      b.op("Add", swapped ? std::vector<std::string>{c, y} : std::vector<std::string>{y, c}));
}

TEST(FoldMatmulAdd, BecomesGemm) {
  for (const Shape& bias : {Shape{5}, Shape{1, 5}, Shape{}, Shape{1}}) {
    for (const bool swapped : {false, true}) {
      const graph::Graph changed =
          expect_applied(product_and_sum({3, 4}, bias, swapped), fold_matmul_add);
      EXPECT_EQ(changed.nodes().size(), 1U);
      const graph::Node& gemm = only_node(changed, "Gemm");
      EXPECT_EQ(changed.find_initializer(gemm.input(2))->shape(), Shape{5});
    }
  }
}

TEST(FoldMatmulAdd, TwoInARow) {
  PatternBuilder b({3, 4});
  std::string y = "x";
  for (unsigned layer = 0; layer < 2; ++layer) {
    y = b.op("MatMul", {y, b.constant(random_floats({4, 4}, layer))});
    y = b.op("Add", {y, b.constant(random_floats({4}, 9 + layer))});
    b.graph.set_type(y, test::float_type({3, 4}));
  }
  EXPECT_EQ(test::count_nodes(expect_applied(b.finish(y), fold_matmul_add, 2), "Gemm"), 2);
}

TEST(FoldMatmulAdd, OtherShapesStay) {
  expect_untouched(product_and_sum({2, 3, 4}, {5}), fold_matmul_add);
  expect_untouched(product_and_sum({3, 4}, {3, 1}), fold_matmul_add);
  expect_untouched(product_and_sum({3, 4}, {3, 5}), fold_matmul_add);
  expect_untouched(product_and_sum({3, 4}, {1, 1, 5}), fold_matmul_add);
}

TEST(FoldMatmulAdd, DynamicOperandsStay) {
  PatternBuilder weight({4, 4});
  const std::string y = weight.op("MatMul", {"x", "x"});
  expect_untouched(weight.finish(weight.op("Add", {y, weight.constant(random_floats({4}, 4))})),
                   fold_matmul_add);

  PatternBuilder bias({4, 4});
  const std::string z = bias.op("MatMul", {"x", bias.constant(random_floats({4, 4}, 3))});
  expect_untouched(bias.finish(bias.op("Add", {z, "x"})), fold_matmul_add);
}

TEST(FoldMatmulAdd, ProductWithAnotherReader) {
  PatternBuilder b({3, 4});
  const std::string y = b.op("MatMul", {"x", b.constant(random_floats({4, 5}, 3))});
  const std::string sum = b.op("Add", {y, b.constant(random_floats({5}, 4))});
  expect_untouched(b.finish(b.op("Mul", {sum, y})), fold_matmul_add);
}

}  // namespace
}  // namespace hexquant::passes
