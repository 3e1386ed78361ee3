#include "evaluate/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr double kRoundingTolerance = 1e-12;  // double sums of 1000 terms in two orders

using Values = std::vector<float>;

Difference difference_of(const Values& reference, const Values& other) {
  Difference difference;
  difference.add(reference, other);
  return difference;
}

Values random_values(std::size_t size, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  Values values(size);
  std::generate(values.begin(), values.end(), [&] { return normal(engine); });
  return values;
}

TEST(Difference, HandComputed) {
  const Difference difference = difference_of({3, 4, 0}, {3, 3, 1});
  EXPECT_DOUBLE_EQ(difference.sqnr_db(), 10.0 * std::log10(25.0 / 2.0));
  EXPECT_DOUBLE_EQ(difference.cosine(), 21.0 / std::sqrt(25.0 * 19.0));
  EXPECT_DOUBLE_EQ(difference.mse(), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(difference.max_abs, 1.0);
  EXPECT_EQ(difference.count, 3);
  EXPECT_FALSE(difference.is_exact());
}

TEST(Difference, EqualTensorsAreExact) {
  const Difference difference = difference_of({1, -2}, {1, -2});
  EXPECT_TRUE(difference.is_exact());
  EXPECT_EQ(difference.sqnr_db(), std::numeric_limits<double>::infinity());
  EXPECT_DOUBLE_EQ(difference.cosine(), 1.0);
  EXPECT_DOUBLE_EQ(difference.mse(), 0.0);
}

TEST(Difference, ZerosHaveDefinedMeasures) {
  EXPECT_EQ(difference_of({0, 0}, {0, 0}).sqnr_db(), std::numeric_limits<double>::infinity());
  EXPECT_DOUBLE_EQ(difference_of({0, 0}, {0, 0}).cosine(), 1.0);
  EXPECT_EQ(difference_of({0, 0}, {0, 1}).sqnr_db(), -std::numeric_limits<double>::infinity());
  EXPECT_DOUBLE_EQ(difference_of({0, 0}, {0, 1}).cosine(), 0.0);
  EXPECT_DOUBLE_EQ(difference_of({2, 0}, {0, 0}).sqnr_db(), 0.0);
}

TEST(Difference, WithoutElementsNothingIsKnown) {
  const Difference nothing;
  EXPECT_TRUE(std::isnan(nothing.sqnr_db()));
  EXPECT_TRUE(std::isnan(nothing.cosine()));
  EXPECT_TRUE(std::isnan(nothing.mse()));
  EXPECT_FALSE(nothing.is_exact());
}

TEST(Difference, EqualNonFiniteElementsAreNoError) {
  const Difference difference = difference_of({1, -kInf, kNan}, {1, -kInf, kNan});
  EXPECT_TRUE(difference.is_exact());
  EXPECT_EQ(difference.count, 3);
  EXPECT_EQ(difference.non_finite, 0);
}

TEST(Difference, NonFiniteErrorsBreakTheResult) {
  for (const float bad : {kNan, kInf, -kInf}) {
    const Difference difference = difference_of({1, 2}, {1, bad});
    EXPECT_EQ(difference.non_finite, 1);
    EXPECT_TRUE(std::isnan(difference.sqnr_db()));
    EXPECT_TRUE(std::isnan(difference.cosine()));
    EXPECT_TRUE(std::isnan(difference.mse()));
    EXPECT_FALSE(difference.is_exact());
  }
  EXPECT_EQ(difference_of({kInf}, {-kInf}).non_finite, 1);
}

TEST(Difference, AgreesWithTheDefinitionAtOddSizes) {
  for (const std::size_t size : {1U, 2U, 7U, 8U, 9U, 15U, 17U, 1023U}) {
    const Values r = random_values(size, 1);
    const Values x = random_values(size, 2);
    double signal = 0.0;
    double noise = 0.0;
    double largest = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
      const double e = static_cast<double>(r[i]) - static_cast<double>(x[i]);
      signal += static_cast<double>(r[i]) * r[i];
      noise += e * e;
      largest = std::max(largest, std::abs(e));
    }
    const Difference difference = difference_of(r, x);
    EXPECT_NEAR(difference.sqnr_db(), 10.0 * std::log10(signal / noise), 1e-9) << size;
    EXPECT_NEAR(difference.mse(), noise / static_cast<double>(size), kRoundingTolerance) << size;
    EXPECT_DOUBLE_EQ(difference.max_abs, largest) << size;
  }
}

TEST(Difference, PoolsOverEverythingAdded) {
  Difference sum;
  sum.add(Values{3, 4}, Values{3, 3});
  sum.add(Values{0}, Values{1});
  const Difference whole = difference_of({3, 4, 0}, {3, 3, 1});
  EXPECT_DOUBLE_EQ(sum.sqnr_db(), whole.sqnr_db());
  Difference merged = difference_of({3, 4}, {3, 3});
  merged.merge(difference_of({0}, {1}));
  EXPECT_DOUBLE_EQ(merged.cosine(), whole.cosine());
  EXPECT_EQ(merged.count, 3);
  EXPECT_DOUBLE_EQ(merged.max_abs, 1.0);
}

TEST(Difference, ReadsTensorsOfAnyNumberType) {
  Difference difference;
  difference.add(Tensor::from<std::int64_t>({2}, std::vector<std::int64_t>{3, 4}),
                 Tensor::from<float>({2}, Values{3, 3}));
  EXPECT_DOUBLE_EQ(difference.mse(), 0.5);
}

TEST(Difference, RefusesOtherShapes) {
  Difference difference;
  try {
    difference.add(Tensor(DType::kFloat32, {1, 2}), Tensor(DType::kFloat32, {2, 1}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidModel);
    EXPECT_STREQ(error.what(), "shape [2,1], expected [1,2]");
  }
}

}  // namespace
}  // namespace hexquant::evaluate
