#include "calibrate/value_accumulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace hexquant::calibrate {
namespace {

using quant::Histogram;
using quant::ValueStatistics;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

ValueStatistics observe(const std::vector<float>& values, bool histogram = true) {
  const auto scratch = std::make_unique<CountScratch>();
  ValueAccumulator accumulator(histogram);
  accumulator.add(values.data(), values.size(), *scratch);
  return accumulator.finish();
}

/// The definition, read from the whole sample at once.
ValueStatistics slow_statistics(const std::vector<float>& values) {
  ValueStatistics expected;
  expected.min = kInfinity;
  expected.max = -kInfinity;
  for (const float x : values) {
    if (!std::isfinite(x)) {
      ++expected.non_finite_count;
      continue;
    }
    ++expected.count;
    expected.zero_count += x == 0.0F ? 1 : 0;
    expected.min = std::min(expected.min, x);
    expected.max = std::max(expected.max, x);
  }
  Histogram& histogram = expected.histogram;
  const double largest = std::max(std::abs(double{expected.min}), std::abs(double{expected.max}));
  const auto bin = [&](double x) { return std::floor(x / std::ldexp(1.0, histogram.exponent)); };
  histogram.exponent = Histogram::kMinExponent;
  while (std::ldexp(largest, -histogram.exponent) >= std::ldexp(1.0, 24) ||
         bin(expected.max) - bin(expected.min) + 1 > Histogram::kMaxBins) {
    ++histogram.exponent;
  }
  histogram.first_bin = static_cast<std::int64_t>(bin(expected.min));
  histogram.counts.resize(static_cast<std::size_t>(bin(expected.max) - bin(expected.min) + 1));
  for (const float x : values) {
    if (!std::isfinite(x)) continue;
    ++histogram.counts[static_cast<std::size_t>(static_cast<std::int64_t>(bin(x)) -
                                                histogram.first_bin)];
  }
  return expected;
}

void expect_equal(const ValueStatistics& got, const ValueStatistics& expected) {
  EXPECT_EQ(got.min, expected.min);
  EXPECT_EQ(got.max, expected.max);
  EXPECT_EQ(got.count, expected.count);
  EXPECT_EQ(got.zero_count, expected.zero_count);
  EXPECT_EQ(got.non_finite_count, expected.non_finite_count);
  EXPECT_EQ(got.histogram.exponent, expected.histogram.exponent);
  EXPECT_EQ(got.histogram.first_bin, expected.histogram.first_bin);
  EXPECT_EQ(got.histogram.counts, expected.histogram.counts);
}

/// Data whose range grows by jumps, with runs of equal values and some that are not finite.
std::vector<float> growing_values(std::uint32_t seed, std::size_t count) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const float scale = std::ldexp(1.0F, static_cast<int>(random() % 60) - 30);
  const float shift = random() % 3 == 0 ? 40.0F : 0.0F;
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    const float growth = 1.0F + 200.0F * static_cast<float>(i * 4 / count);
    values[i] = scale * (growth * normal(random) + shift);
    if (random() % 5 == 0) values[i] = 0.0F;
    if (random() % 7 == 0 && i > 0) values[i] = values[i - 1];
    if (random() % 997 == 0) values[i] = random() % 2 == 0 ? kNan : -kInfinity;
  }
  return values;
}

TEST(ValueAccumulator, EqualsTheWholeSampleReference) {
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    const std::vector<float> values = growing_values(seed, 1 + seed * 431);
    expect_equal(observe(values), slow_statistics(values));
  }
}

TEST(ValueAccumulator, DoesNotDependOnPartitionOrOrder) {
  const auto scratch = std::make_unique<CountScratch>();
  for (std::uint32_t seed = 0; seed < 30; ++seed) {
    std::vector<float> values = growing_values(seed, 6000);
    const ValueStatistics expected = observe(values);
    std::mt19937 random(seed);
    std::shuffle(values.begin(), values.end(), random);
    std::vector<ValueAccumulator> parts;
    for (std::size_t begin = 0; begin < values.size();) {
      const std::size_t size = std::min(values.size() - begin, std::size_t{random() % 900});
      parts.emplace_back(true);
      parts.back().add(values.data() + begin, size, *scratch);
      begin += size;
    }
    std::shuffle(parts.begin(), parts.end(), random);
    ValueAccumulator total(true);
    for (const ValueAccumulator& part : parts) total.merge(part);
    expect_equal(total.finish(), expected);
  }
}

TEST(ValueAccumulator, CountsHandMadeData) {
  const ValueStatistics got = observe({-1.0F, 0.0F, 0.0F, 1.5F, kNan});
  EXPECT_EQ(got.min, -1.0F);
  EXPECT_EQ(got.max, 1.5F);
  EXPECT_EQ(got.count, 4U);
  EXPECT_EQ(got.zero_count, 2U);
  EXPECT_EQ(got.non_finite_count, 1U);
  // 2.5 / 2^-9 = 1280 bins, 2.5 / 2^-10 = 2560 are too many.
  EXPECT_EQ(got.histogram.exponent, -9);
  EXPECT_EQ(got.histogram.first_bin, -512);
  EXPECT_EQ(got.histogram.counts.size(), 1281U);
  EXPECT_EQ(got.histogram.counts.front(), 1U);
  EXPECT_EQ(got.histogram.counts[512], 2U);
  EXPECT_EQ(got.histogram.counts.back(), 1U);
  EXPECT_EQ(got.histogram.lower_edge(), -1.0);
}

TEST(ValueAccumulator, HandlesConstants) {
  for (const float value : {0.0F, 1.0F, -3.7e20F, 1e-42F, 3.4e38F}) {
    const ValueStatistics got = observe(std::vector<float>(5000, value));
    EXPECT_EQ(got.min, value);
    EXPECT_EQ(got.max, value);
    ASSERT_EQ(got.histogram.counts.size(), 1U) << value;
    EXPECT_EQ(got.histogram.counts[0], 5000U);
    EXPECT_LE(got.histogram.lower_edge(), value);
    EXPECT_GT(got.histogram.lower_edge() + got.histogram.bin_width(), value);
  }
}

TEST(ValueAccumulator, NegativeZeroIsZero) {
  const ValueStatistics got = observe({-0.0F, 0.0F});
  EXPECT_FALSE(std::signbit(got.min));
  EXPECT_FALSE(std::signbit(got.max));
  EXPECT_EQ(got.zero_count, 2U);
}

TEST(ValueAccumulator, KnowsWhenNothingIsFinite) {
  const ValueStatistics got = observe({kNan, kInfinity, -kInfinity});
  EXPECT_EQ(got.count, 0U);
  EXPECT_EQ(got.non_finite_count, 3U);
  EXPECT_TRUE(got.histogram.counts.empty());
  EXPECT_EQ(observe({}).count, 0U);
}

TEST(ValueAccumulator, CountsWithoutHistogram) {
  const std::vector<float> values = growing_values(3, 5000);
  const ValueStatistics got = observe(values, false);
  const ValueStatistics expected = observe(values);
  EXPECT_EQ(got.min, expected.min);
  EXPECT_EQ(got.max, expected.max);
  EXPECT_EQ(got.count, expected.count);
  EXPECT_EQ(got.zero_count, expected.zero_count);
  EXPECT_EQ(got.non_finite_count, expected.non_finite_count);
  EXPECT_TRUE(got.histogram.counts.empty());
}

TEST(HistogramExponent, NeverShrinksWithTheRange) {
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 2000; ++i) {
    float min = normal(random);
    float max = min + std::abs(normal(random));
    int exponent = quant::histogram_exponent(min, max);
    for (int step = 0; step < 10; ++step) {
      min -= std::abs(normal(random)) * std::ldexp(1.0F, step);
      max += std::abs(normal(random)) * std::ldexp(1.0F, step);
      const int wider = quant::histogram_exponent(min, max);
      EXPECT_GE(wider, exponent);
      exponent = wider;
    }
  }
}

}  // namespace
}  // namespace hexquant::calibrate
