#include "linalg/solve.h"

#include <gtest/gtest.h>

#include <vector>

#include "linalg/product.h"

namespace hexquant::linalg {
namespace {

TEST(SolvePositiveDefinite, RowsAreSystems) {
  std::vector<double> matrix = {4, 2, 2, 3};
  std::vector<double> rows = {8, 7, 4, 2};  // (1.25, 1.5) and (1, 0) times the matrix
  ASSERT_TRUE(solve_positive_definite(matrix.data(), 2, rows.data(), 2));
  const std::vector<double> expected = {1.25, 1.5, 1, 0};
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(rows[i], expected[i], 1e-12);
}

TEST(SolvePositiveDefinite, ReadsTheUpperTriangleOnly) {
  std::vector<double> matrix = {4, 2, -99, 3};
  std::vector<double> rows = {8, 7};
  ASSERT_TRUE(solve_positive_definite(matrix.data(), 2, rows.data(), 1));
  EXPECT_NEAR(rows[0], 1.25, 1e-12);
}

TEST(SolvePositiveDefinite, RefusesAnIndefiniteMatrix) {
  std::vector<double> matrix = {1, 2, 2, 1};
  std::vector<double> rows = {5, 6};
  EXPECT_FALSE(solve_positive_definite(matrix.data(), 2, rows.data(), 1));
  EXPECT_EQ(rows, (std::vector<double>{5, 6}));
}

TEST(AddProduct, AddsTransposedFactorsWithStrides) {
  const std::vector<float> a = {1, 2, 9, 3, 4, 9};  // [2, 2], stored rows of 3
  const std::vector<float> b = {5, 6, 7, 8};
  std::vector<float> c = {100, 0, 0, 0};
  // a^T b^T
  add_product({.rows = 2, .columns = 2, .inner = 2, .transpose_a = true, .transpose_b = true},
              a.data(), 3, b.data(), 2, c.data(), 2);
  EXPECT_EQ(c, (std::vector<float>{123, 31, 34, 46}));
}

}  // namespace
}  // namespace hexquant::linalg
