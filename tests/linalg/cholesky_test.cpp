#include "linalg/cholesky.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "hexquant/error.h"

namespace hexquant {
namespace {

std::vector<float> random_positive_definite(std::int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> x(static_cast<std::size_t>(2 * n * n));
  for (double& value : x) value = normal(random);
  std::vector<float> matrix(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = i == j ? 0.1 : 0.0;
      for (std::int64_t s = 0; s < 2 * n; ++s) {
        sum += x[static_cast<std::size_t>(s * n + i)] * x[static_cast<std::size_t>(s * n + j)] /
               static_cast<double>(2 * n);
      }
      matrix[static_cast<std::size_t>(i * n + j)] = static_cast<float>(sum);
    }
  }
  return matrix;
}

TEST(FactorUpper, ByHand) {
  // R = [2 3; 0 4]: R R^T = [13 12; 12 16]; the lower entry is not read.
  std::vector<float> matrix = {13, 12, std::numeric_limits<float>::quiet_NaN(), 16};
  ASSERT_TRUE(linalg::factor_upper(matrix.data(), 2, 1));
  EXPECT_EQ(matrix, (std::vector<float>{2, 3, 0, 4}));
}

TEST(FactorUpper, ProductGivesTheMatrixBackAtSizesAroundTheBlocks) {
  for (const std::int64_t n : {1, 5, 127, 128, 129, 300}) {
    const std::vector<float> matrix = random_positive_definite(n, 7);
    std::vector<float> root = matrix;
    ASSERT_TRUE(linalg::factor_upper(root.data(), n, 2));
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0.0;
        for (std::int64_t k = 0; k < n; ++k) {
          sum += double{root[static_cast<std::size_t>(i * n + k)]} *
                 root[static_cast<std::size_t>(j * n + k)];
        }
        // Backward error of Cholesky in float: some n eps of a diagonal around 1.
        constexpr double kBackwardError = 2e-5;
        const double expected = matrix[static_cast<std::size_t>(i * n + j)];
        ASSERT_TRUE(std::abs(sum - expected) <= kBackwardError) << i << ' ' << j << ' ' << n;
        if (j < i) {
          ASSERT_EQ(root[static_cast<std::size_t>(i * n + j)], 0.0F);
        }
      }
    }
  }
}

TEST(FactorUpper, SameBytesForAnyNumberOfThreads) {
  const std::vector<float> matrix = random_positive_definite(700, 3);
  std::vector<float> one = matrix;
  std::vector<float> five = matrix;
  ASSERT_TRUE(linalg::factor_upper(one.data(), 700, 1));
  ASSERT_TRUE(linalg::factor_upper(five.data(), 700, 5));
  EXPECT_EQ(one, five);
}

TEST(FactorUpper, SaysWhenAMatrixIsNotPositiveDefinite) {
  std::vector<float> singular = {1, 2, 2, 4};
  EXPECT_FALSE(linalg::factor_upper(singular.data(), 2, 1));
  std::vector<float> negative = {1, 0, 0, -1};
  EXPECT_FALSE(linalg::factor_upper(negative.data(), 2, 1));
  std::vector<float> nan = {1, 0, 0, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_FALSE(linalg::factor_upper(nan.data(), 2, 1));
  std::vector<float> infinite = {1, 0, 0, std::numeric_limits<float>::infinity()};
  EXPECT_FALSE(linalg::factor_upper(infinite.data(), 2, 1));
  float one = 1.0F;
  EXPECT_THROW((void)linalg::factor_upper(&one, std::int64_t{1} << 32, 1), Error);
}

}  // namespace
}  // namespace hexquant
