#include "linalg/gram.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "hexquant/error.h"

namespace hexquant {
namespace {

TEST(Gram, SumsOuterProductsOfRows) {
  // rows (1, 2) and (3, -1): [1 2; 2 4] + [9 -3; -3 1]
  const std::vector<float> rows = {1, 2, 3, -1};
  std::vector<float> gram = {100, 0, -7, 0};
  linalg::add_gram(rows.data(), 2, 2, gram.data());
  EXPECT_EQ(gram, (std::vector<float>{110, -1, -7, 5}));  // lower triangle untouched
  linalg::mirror_upper(gram.data(), 2);
  EXPECT_EQ(gram, (std::vector<float>{110, -1, -1, 5}));
}

TEST(Gram, AgreesWithDoublesAtOddSizes) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const std::int64_t columns : {1, 3, 17, 65}) {
    for (const std::int64_t rows : {0, 1, 7, 130}) {
      std::vector<float> x(static_cast<std::size_t>(rows * columns));
      for (float& value : x) value = normal(random);
      std::vector<float> gram(static_cast<std::size_t>(columns * columns));
      linalg::add_gram(x.data(), rows, columns, gram.data());
      linalg::mirror_upper(gram.data(), columns);
      for (std::int64_t i = 0; i < columns; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
          double expected = 0.0;
          for (std::int64_t r = 0; r < rows; ++r) {
            expected += double{x[static_cast<std::size_t>(r * columns + i)]} *
                        x[static_cast<std::size_t>(r * columns + j)];
          }
          // Float sums of at most 130 products of magnitude around 1.
          constexpr double kFloatSum = 1e-4;
          const double got = gram[static_cast<std::size_t>(i * columns + j)];
          EXPECT_TRUE(std::abs(got - expected) <= kFloatSum) << got << " vs " << expected;
        }
      }
    }
  }
}

TEST(Gram, RejectsSizesBeyondBlas) {
  float one = 1.0F;
  EXPECT_THROW(linalg::add_gram(&one, std::int64_t{1} << 32, 1, &one), Error);
  EXPECT_THROW(linalg::add_gram(&one, 1, -1, &one), Error);
}

}  // namespace
}  // namespace hexquant
