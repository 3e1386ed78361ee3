#include "evaluate/metrics.h"

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

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
// Double sums of a few hundred terms in two orders.
constexpr double kRoundingTolerance = 1e-12;

using Row = std::vector<float>;

Row random_row(std::size_t size, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  Row row(size);
  std::generate(row.begin(), row.end(), [&] { return normal(engine); });
  return row;
}

TEST(Argmax, TakesLowestIndexOfEquals) {
  EXPECT_EQ(argmax(Row{1, 3, 3, 2}), 1);
  EXPECT_EQ(argmax(Row{0, 0, 0}), 0);
  EXPECT_EQ(argmax(Row{-kInf, -5}), 1);
}

TEST(Argmax, HasNoneForNanOrEmpty) {
  EXPECT_FALSE(argmax(Row{}).has_value());
  EXPECT_FALSE(argmax(Row{5, kNan}).has_value());
  EXPECT_FALSE(argmax(Row{kNan, 5}).has_value());
}

TEST(TopK, CountsElementsAhead) {
  const Row row = {5, 9, 7, 7, 1, 0};
  EXPECT_TRUE(in_top_k(row, 1, 1));
  EXPECT_FALSE(in_top_k(row, 2, 1));
  EXPECT_TRUE(in_top_k(row, 2, 2));   // tie with 3: lower index is ahead
  EXPECT_FALSE(in_top_k(row, 3, 2));  // so this one is third
  EXPECT_TRUE(in_top_k(row, 3, 3));
  EXPECT_FALSE(in_top_k(row, 5, 5));
  EXPECT_TRUE(in_top_k(row, 5, 6));
}

TEST(TopK, WithFewerClassesThanKIsAlwaysRight) {
  EXPECT_TRUE(in_top_k(Row{1, 2, 3}, 0, 5));
}

TEST(TopK, ConstantRowFavoursClassZeroOnly) {
  EXPECT_TRUE(in_top_k(Row{2, 2, 2}, 0, 1));
  EXPECT_FALSE(in_top_k(Row{2, 2, 2}, 1, 1));
}

TEST(TopK, NanIsNeverCorrect) {
  EXPECT_FALSE(in_top_k(Row{kNan, 1}, 0, 2));
  EXPECT_FALSE(in_top_k(Row{kNan, 1}, 1, 2));
}

TEST(TopK, RefusesLabelOutsideTheRow) {
  try {
    (void)in_top_k(Row{1, 2, 3}, 3, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_THAT(error.what(), HasSubstr("label 3 is outside the model's 3 classes (0..2)"));
  }
  EXPECT_THROW((void)in_top_k(Row{1}, -1, 1), Error);
}

TEST(Agreement, ComparesArgmax) {
  EXPECT_TRUE(same_argmax(Row{1, 2}, Row{-4, 0}));
  EXPECT_FALSE(same_argmax(Row{1, 2}, Row{2, 1}));
  EXPECT_FALSE(same_argmax(Row{kNan, 2}, Row{kNan, 2}));
}

TEST(Cosine, HandComputed) {
  EXPECT_DOUBLE_EQ(cosine_similarity(Row{3, 4}, Row{4, 3}), 24.0 / 25.0);
  EXPECT_DOUBLE_EQ(cosine_similarity(Row{1, 0}, Row{0, 7}), 0.0);
  EXPECT_DOUBLE_EQ(cosine_similarity(Row{1, -2}, Row{-2, 4}), -1.0);
}

TEST(Kl, HandComputed) {
  // softmax: (1/4, 3/4) and (1/2, 1/2)
  const double expected = 0.25 * std::log(0.5) + 0.75 * std::log(1.5);
  EXPECT_NEAR(softmax_kl(Row{0, std::log(3.0F)}, Row{5, 5}), expected, 1e-7);  // float logits
  EXPECT_DOUBLE_EQ(softmax_kl(Row{1, -2, 7}, Row{1, -2, 7}), 0.0);
}

TEST(Kl, TakesDistributionsAsTheyAre) {
  const double expected = 0.25 * std::log(0.5) + 0.75 * std::log(1.5);
  EXPECT_TRUE(is_distribution(Row{0.25F, 0.75F}));
  EXPECT_DOUBLE_EQ(softmax_kl(Row{0.25F, 0.75F}, Row{0.5F, 0.5F}), expected);
  // A zero of the other row counts as 1e-7.
  EXPECT_NEAR(softmax_kl(Row{0.5F, 0.5F}, Row{1.0F, 0.0F}),
              0.5 * std::log(0.5) + 0.5 * std::log(0.5e7), kRoundingTolerance);
}

TEST(Kl, RecognisesDistributions) {
  EXPECT_FALSE(is_distribution(Row{1.5F, -0.5F}));
  EXPECT_FALSE(is_distribution(Row{0.5F, 0.6F}));
  EXPECT_FALSE(is_distribution(Row{kNan, 1.0F}));
  EXPECT_TRUE(is_distribution(Row{0.5F, 0.496F}));  // an 8-bit softmax
}

TEST(Kl, MaskedLogitsCountNothing) {
  EXPECT_DOUBLE_EQ(softmax_kl(Row{2, -kInf}, Row{3, -kInf}), 0.0);
  EXPECT_TRUE(std::isinf(softmax_kl(Row{2, 2}, Row{2, -kInf})));
  EXPECT_TRUE(std::isnan(softmax_kl(Row{2, kNan}, Row{2, 1})));
}

TEST(Kl, AgreesWithTheDefinitionAtOddSizes) {
  for (const std::size_t size : {1U, 2U, 3U, 17U, 101U}) {
    const Row r = random_row(size, 1);
    const Row x = random_row(size, 2);
    double sum_r = 0.0;
    double sum_x = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
      sum_r += std::exp(static_cast<double>(r[i]));
      sum_x += std::exp(static_cast<double>(x[i]));
    }
    double expected = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
      const double p = std::exp(static_cast<double>(r[i])) / sum_r;
      expected += p * std::log(p / (std::exp(static_cast<double>(x[i])) / sum_x));
    }
    EXPECT_NEAR(softmax_kl(r, x), expected, kRoundingTolerance) << size;
  }
}

TEST(Nll, HandComputedAndStable) {
  EXPECT_DOUBLE_EQ(negative_log_likelihood(Row{4, 4}, 1), std::log(2.0));
  // exp(1000) overflows a double; log-sum-exp does not.
  EXPECT_DOUBLE_EQ(negative_log_likelihood(Row{1000, 0}, 1), 1000.0);
  EXPECT_DOUBLE_EQ(negative_log_likelihood(Row{1000, 0}, 0), 0.0);
  EXPECT_TRUE(std::isnan(negative_log_likelihood(Row{1, kNan}, 0)));
  EXPECT_THROW((void)negative_log_likelihood(Row{1, 2}, 2), Error);
}

TEST(Ranks, AveragesTies) {
  const std::vector<double> values = {10, 30, 20, 20, 20};
  EXPECT_THAT(average_ranks(values), ElementsAre(1, 5, 3, 3, 3));
  EXPECT_THAT(average_ranks(std::vector<double>{2, 2}), ElementsAre(1.5, 1.5));
  EXPECT_TRUE(average_ranks({}).empty());
}

TEST(Spearman, HandComputed) {
  const std::vector<double> a = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(spearman(a, std::vector<double>{10, 100, 1000, 10000}), 1.0);
  EXPECT_DOUBLE_EQ(spearman(a, std::vector<double>{4, 3, 2, 1}), -1.0);
  // No ties: 1 - 6 sum d^2 / (n (n^2 - 1)) with d = 0, 1, -1, 0
  EXPECT_DOUBLE_EQ(spearman(a, std::vector<double>{1, 3, 2, 4}), 1.0 - 6.0 * 2.0 / 60.0);
  // Ranks 1, 2.5, 2.5, 4: covariance 4.5, variances 5 and 4.5
  EXPECT_DOUBLE_EQ(spearman(a, std::vector<double>{0, 7, 7, 9}), 4.5 / std::sqrt(5.0 * 4.5));
}

TEST(Spearman, UndefinedCasesAreNan) {
  const std::vector<double> a = {1, 2, 3};
  EXPECT_TRUE(std::isnan(spearman(a, std::vector<double>{5, 5, 5})));
  EXPECT_TRUE(std::isnan(spearman(a, std::vector<double>{1, std::nan(""), 2})));
  EXPECT_TRUE(std::isnan(spearman(std::vector<double>{1}, std::vector<double>{1})));
  EXPECT_TRUE(std::isnan(spearman({}, {})));
}

TEST(PairedInterval, HandComputed) {
  // n* = 102, b + c + 1 = 9, d = 4: s = sqrt(9 - 16/102) / 102
  const Interval interval = paired_interval(6, 2, 100);
  const double deviation = std::sqrt(9.0 - 16.0 / 102.0) / 102.0;
  EXPECT_NEAR(interval.low, 4.0 / 102.0 - 1.959964 * deviation, 1e-7);
  EXPECT_NEAR(interval.high, 4.0 / 102.0 + 1.959964 * deviation, 1e-7);
}

TEST(PairedInterval, IsAntisymmetricAndNeverEmpty) {
  const Interval gain = paired_interval(3, 11, 50);
  const Interval loss = paired_interval(11, 3, 50);
  EXPECT_DOUBLE_EQ(gain.low, -loss.high);
  EXPECT_DOUBLE_EQ(gain.high, -loss.low);
  const Interval none = paired_interval(0, 0, 394);
  EXPECT_LT(none.low, 0.0);
  EXPECT_GT(none.high, 0.0);
  EXPECT_LT(none.high, 0.006);
  const Interval all = paired_interval(1, 0, 1);
  EXPECT_LE(all.high, 1.0);
}

}  // namespace
}  // namespace hexquant::evaluate
