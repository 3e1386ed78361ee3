#include "linalg/quadratic_form.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace hexquant {
namespace {

TEST(QuadraticForms, ByHandAndOnlyFromTheUpperTriangle) {
  // d = (1, 2) and (0, -1) under [1 3; . 5]: 1 + 2 * 2 * 3 + 4 * 5 = 33, and 5.
  const std::vector<float> a = {2, 3, 1, 0};
  const std::vector<float> b = {1, 1, 1, 1};
  const std::vector<float> matrix = {1, 3, -100, 5};
  std::vector<double> forms(2);
  linalg::quadratic_forms(a.data(), b.data(), 2, 2, matrix.data(), forms.data(), 1);
  EXPECT_EQ(forms, (std::vector<double>{33, 5}));
}

TEST(QuadraticForms, AgreeWithPlainSumsAtOddSizesAndForAnyThreads) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const std::int64_t n : {1, 64, 65, 256, 300, 515}) {
    for (const std::int64_t rows : {1, 129}) {
      std::vector<float> a(static_cast<std::size_t>(rows * n));
      std::vector<float> b(a.size());
      std::vector<float> matrix(static_cast<std::size_t>(n * n));
      for (std::vector<float>* values : {&a, &b, &matrix}) {
        for (float& value : *values) value = normal(random);
      }
      std::vector<double> one(static_cast<std::size_t>(rows));
      std::vector<double> five(one.size());
      linalg::quadratic_forms(a.data(), b.data(), rows, n, matrix.data(), one.data(), 1);
      linalg::quadratic_forms(a.data(), b.data(), rows, n, matrix.data(), five.data(), 5);
      EXPECT_EQ(one, five);
      for (const std::int64_t r : {std::int64_t{0}, rows - 1}) {
        double expected = 0.0;
        double size = 0.0;
        for (std::int64_t i = 0; i < n; ++i) {
          for (std::int64_t j = 0; j < n; ++j) {
            const auto di = static_cast<std::size_t>(r * n + i);
            const auto dj = static_cast<std::size_t>(r * n + j);
            const double entry =
                matrix[static_cast<std::size_t>(std::min(i, j) * n + std::max(i, j))];
            const double term = (double{a[di]} - b[di]) * entry * (double{a[dj]} - b[dj]);
            expected += term;
            size += std::abs(term);
          }
        }
        // Sums of n^2 doubles in another order.
        constexpr double kDoubleSum = 1e-13;
        EXPECT_TRUE(std::abs(one[static_cast<std::size_t>(r)] - expected) <= kDoubleSum * size);
      }
    }
  }
}

}  // namespace
}  // namespace hexquant
