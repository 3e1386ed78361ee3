#include "calibrate/observer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "calibrate/bin_density.h"
#include "calibrate/range_search.h"
#include "calibrate/value_accumulator.h"
#include "hexquant/error.h"

namespace hexquant::calibrate {
namespace {

using quant::ValueStatistics;
using testing::HasSubstr;

ValueStatistics observe(const std::vector<float>& values) {
  const auto scratch = std::make_unique<CountScratch>();
  ValueAccumulator accumulator(true);
  accumulator.add(values.data(), values.size(), *scratch);
  return accumulator.finish();
}

Range choose(const ValueStatistics& statistics, ObserverKind kind, int bits = 8,
             bool symmetric = false, double percentile = 99.99) {
  return choose_range(statistics, {kind, percentile}, bits, symmetric);
}

constexpr ObserverKind kAll[] = {ObserverKind::kMinMax, ObserverKind::kPercentile,
                                 ObserverKind::kMse, ObserverKind::kEntropy, ObserverKind::kSqnr};

enum class Form { kNormal, kRelu, kRelu6, kLaplace, kOutliers, kShifted, kNegative, kUniform };
constexpr Form kForms[] = {Form::kNormal,   Form::kRelu,    Form::kRelu6,    Form::kLaplace,
                           Form::kOutliers, Form::kShifted, Form::kNegative, Form::kUniform};

std::vector<float> sample(Form form, std::size_t count = 20000) {
  std::mt19937 random(21);
  std::normal_distribution<float> normal;
  std::exponential_distribution<float> exponential;
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    const float x = normal(random);
    const float e = exponential(random);
    switch (form) {
      case Form::kNormal:
        values[i] = x;
        break;
      case Form::kRelu:
        values[i] = std::max(0.0F, x);
        break;
      case Form::kRelu6:
        values[i] = std::clamp(3.0F * x, 0.0F, 6.0F);
        break;
      case Form::kLaplace:
        values[i] = i % 2 == 0 ? e : -e;
        break;
      case Form::kOutliers:
        values[i] = i % 2000 == 0 ? 12.0F * x : x;
        break;
      case Form::kShifted:
        values[i] = 0.5F * x + 2.0F;
        break;
      case Form::kNegative:
        values[i] = -e - 0.1F;
        break;
      case Form::kUniform:
        values[i] = static_cast<float>(random() % 10000) / 1000.0F - 3.0F;
        break;
    }
  }
  return values;
}

/// Cost of a range on the sample itself: nearest rounding, clipping beyond half a step weighted.
double slow_error(const std::vector<float>& values, Ends ends, int bits, bool symmetric,
                  double clip_weight) {
  const Grid grid = grid_for(ends, bits, symmetric);
  const auto low = static_cast<double>(grid.low_code);
  const auto high = static_cast<double>(grid.high_code);
  double sum = 0.0;
  for (const float x : values) {
    const double steps = x / grid.scale;
    const double code = std::clamp(std::nearbyint(steps), low, high);
    const bool clipped = steps < low - 0.5 || steps > high + 0.5;
    const double error = x - code * grid.scale;
    sum += error * error * (clipped ? clip_weight : 1.0);
  }
  return sum;
}

Ends as_ends(Range range) {
  return {range.min, range.max};
}

// ---- definitions shared by all

TEST(Observer, NamesAreKnown) {
  for (const ObserverKind kind : kAll) EXPECT_EQ(parse_observer(observer_name(kind)), kind);
  try {
    (void)parse_observer("kl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("'kl'"));
    EXPECT_THAT(error.what(), HasSubstr("min-max, percentile, mse, entropy, sqnr"));
  }
}

TEST(Observer, RejectsImpossibleOptions) {
  const ValueStatistics statistics = observe({1.0F});
  EXPECT_THROW((void)choose(statistics, ObserverKind::kPercentile, 8, false, 50.0), Error);
  EXPECT_THROW((void)choose(statistics, ObserverKind::kPercentile, 8, false, 100.5), Error);
  EXPECT_THROW((void)choose(statistics, ObserverKind::kPercentile, 8, false, std::nan("")), Error);
  EXPECT_THROW((void)choose(statistics, ObserverKind::kMse, 1), Error);
  EXPECT_THROW((void)choose(statistics, ObserverKind::kMse, 17), Error);
}

TEST(Observer, RangesContainZeroAndStayWithinTheData) {
  for (const Form form : kForms) {
    const ValueStatistics statistics = observe(sample(form));
    for (const ObserverKind kind : kAll) {
      for (const int bits : {4, 8, 16}) {
        const Range range = choose(statistics, kind, bits);
        EXPECT_LE(range.min, 0.0F);
        EXPECT_GE(range.max, 0.0F);
        EXPECT_LT(range.min, range.max);
        EXPECT_GE(range.min, std::min(0.0F, statistics.min));
        EXPECT_LE(range.max, std::max(0.0F, statistics.max));
        EXPECT_TRUE(statistics.min < 0.0F || range.min == 0.0F);
        EXPECT_TRUE(statistics.max > 0.0F || range.max == 0.0F);
        const Range symmetric = choose(statistics, kind, bits, true);
        EXPECT_TRUE(statistics.min >= 0.0F || symmetric.min == -symmetric.max);
      }
    }
  }
}

TEST(Observer, HandlesDegenerateData) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const ObserverKind kind : kAll) {
    for (const bool symmetric : {false, true}) {
      SCOPED_TRACE(observer_name(kind));
      EXPECT_EQ(choose(observe({0.0F, 0.0F, -0.0F}), kind, 8, symmetric), (Range{0.0F, 0.0F}));
      // One value: nothing to gain from clipping, so it stays exactly inside.
      EXPECT_EQ(choose(observe({2.5F}), kind, 8, symmetric).max, 2.5F);
      EXPECT_EQ(choose(observe(std::vector<float>(100, -3.0F)), kind, 8, symmetric).min, -3.0F);
      EXPECT_EQ(choose(observe({0.0F, 2.5F, nan, INFINITY}), kind, 8, symmetric).max, 2.5F);
      const Range tiny = choose(observe({1e-40F, 0.0F}), kind, 8, symmetric);
      EXPECT_EQ(tiny.min, 0.0F);
      EXPECT_LE(tiny.max, 1e-40F);
      const Range huge = choose(observe({3e38F, -3e38F}), kind, 8, symmetric);
      EXPECT_TRUE(std::isfinite(huge.min) && std::isfinite(huge.max));
    }
  }
}

TEST(Observer, MinMaxNeedsNoHistogram) {
  ValueStatistics statistics = observe({-1.0F, 3.0F});
  statistics.histogram = {};
  EXPECT_EQ(choose(statistics, ObserverKind::kMinMax), (Range{-1.0F, 3.0F}));
  EXPECT_EQ(choose(statistics, ObserverKind::kMinMax, 8, true), (Range{-3.0F, 3.0F}));
  EXPECT_THROW((void)choose(statistics, ObserverKind::kMse), Error);
  EXPECT_THROW((void)choose(statistics, ObserverKind::kPercentile), Error);
}

// ---- percentile

TEST(Percentile, EqualsOrderStatisticsWithinOneBin) {
  for (const Form form : kForms) {
    std::vector<float> values = sample(form);
    const ValueStatistics statistics = observe(values);
    const double width = statistics.histogram.bin_width();
    std::sort(values.begin(), values.end());
    for (const double percentile : {60.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
      const auto cut = static_cast<std::size_t>(
          std::floor(static_cast<double>(values.size()) * (100.0 - percentile) / 200.0));
      const double low = std::min(0.0F, values[cut]);
      const double high = std::max(0.0F, values[values.size() - 1 - cut]);
      const Range range = choose(statistics, ObserverKind::kPercentile, 8, false, percentile);
      EXPECT_TRUE(std::abs(range.min - low) <= width) << range.min << " vs " << low;
      EXPECT_TRUE(std::abs(range.max - high) <= width) << range.max << " vs " << high;
      const auto inside = std::count_if(values.begin(), values.end(),
                                        [&](float x) { return x >= range.min && x <= range.max; });
      EXPECT_GE(static_cast<double>(inside),
                static_cast<double>(values.size()) * percentile / 100.0 - 1.0);
    }
  }
}

TEST(Percentile, SymmetricCutsTheMagnitude) {
  std::vector<float> values = sample(Form::kShifted);
  for (std::size_t i = 0; i < 500; ++i) values[i] = -values[i];
  const ValueStatistics statistics = observe(values);
  std::vector<float> magnitudes;
  for (const float x : values) magnitudes.push_back(std::abs(x));
  std::sort(magnitudes.begin(), magnitudes.end());
  const Range range = choose(statistics, ObserverKind::kPercentile, 8, true, 99.0);
  const float expected = magnitudes[magnitudes.size() * 99 / 100 - 1];
  EXPECT_NEAR(range.max, expected, statistics.histogram.bin_width());
  EXPECT_EQ(range.min, -range.max);
}

TEST(Percentile, CountsByHand) {
  // 0 ... 99: 90 % keeps 5 ... 94.
  std::vector<float> values;
  for (int i = 0; i < 100; ++i) values.push_back(static_cast<float>(i) - 50.0F);
  const Range range = choose(observe(values), ObserverKind::kPercentile, 8, false, 90.0);
  EXPECT_NEAR(range.min, -45.0F, 0.07);
  EXPECT_NEAR(range.max, 44.0F, 0.07);
}

// ---- mse, sqnr

TEST(BinDensity, ErrorEqualsThatOfTheSample) {
  for (const Form form : kForms) {
    const std::vector<float> values = sample(form);
    const ValueStatistics statistics = observe(values);
    const BinDensity density(statistics);
    const Ends full{std::min(0.0F, statistics.min), std::max(0.0F, statistics.max)};
    for (const int bits : {2, 4, 8}) {
      for (const double factor : {1.0, 0.7, 0.3}) {
        for (const double clip_weight : {1.0, 3.0}) {
          const Ends ends{full.low * factor, full.high * factor};
          const Grid grid = grid_for(ends, bits, false);
          const double got = density.squared_error(grid, clip_weight);
          const double expected = slow_error(values, ends, bits, false, clip_weight);
          // The place of elements inside bins is unknown; 8 bits have 8 bins a step.
          constexpr double kInsideBins = 0.03;
          EXPECT_TRUE(std::abs(got - expected) <= kInsideBins * expected)
              << static_cast<int>(form) << " " << bits << " " << factor << ": " << got << " vs "
              << expected;
        }
      }
    }
  }
}

TEST(BinDensity, ZerosAreExact) {
  std::vector<float> values = sample(Form::kRelu);
  const ValueStatistics with = observe(values);
  std::erase(values, 0.0F);
  const ValueStatistics without = observe(values);
  const Grid grid = grid_for({0.0, 3.0}, 4, false);
  const double error = BinDensity(with).squared_error(grid, 1.0);
  EXPECT_NEAR(BinDensity(without).squared_error(grid, 1.0), error, 1e-6 * error);
}

TEST(BinDensity, SixteenBitsRoundEvenlyAndClip) {
  const std::vector<float> values = sample(Form::kNormal);
  const BinDensity density(observe(values));
  const Grid grid = grid_for({-2.0, 2.0}, 16, false);
  const double expected = slow_error(values, {-2.0, 2.0}, 16, false, 1.0);
  EXPECT_NEAR(density.squared_error(grid, 1.0), expected, 0.02 * expected);
}

/// Least cost on the sample over a fine grid of candidates.
double brute_force(const std::vector<float>& values, Ends full, int bits, bool symmetric,
                   double clip_weight) {
  double best = std::numeric_limits<double>::infinity();
  const int steps = symmetric || full.low == 0.0 || full.high == 0.0 ? 300 : 40;
  for (int i = 1; i <= steps; ++i) {
    for (int j = 1; j <= steps; ++j) {
      if (steps == 300 && i != j) continue;
      const Ends ends{full.low * i / steps, full.high * j / steps};
      best = std::min(best, slow_error(values, ends, bits, symmetric, clip_weight));
    }
  }
  return best;
}

TEST(ErrorObservers, FindTheRangeThatBruteForceFinds) {
  for (const Form form : kForms) {
    const std::vector<float> values = sample(form, 4000);
    const ValueStatistics statistics = observe(values);
    for (const bool symmetric : {false, true}) {
      const Range widest = choose(statistics, ObserverKind::kMinMax, 8, symmetric);
      for (const int bits : {4, 8}) {
        for (const auto& [kind, weight] :
             {std::pair{ObserverKind::kMse, 1.0}, std::pair{ObserverKind::kSqnr, 3.0}}) {
          const Range range = choose(statistics, kind, bits, symmetric);
          const double got = slow_error(values, as_ends(range), bits, symmetric, weight);
          const double best = brute_force(values, as_ends(widest), bits, symmetric, weight);
          // Candidates differ and positions inside bins are unknown.
          constexpr double kSearch = 1.03;
          EXPECT_TRUE(got <= kSearch * best) << static_cast<int>(form) << " " << observer_name(kind)
                                             << bits << symmetric << ": " << got << " vs " << best;
        }
      }
    }
  }
}

/// The whole-sample observer: the same search over the error of the elements themselves. At 8 bits
/// the error hardly changes over several bins, so there the errors are compared.
TEST(ErrorObservers, EqualTheWholeSampleSearchWithinOneBin) {
  for (const Form form : {Form::kNormal, Form::kRelu, Form::kLaplace, Form::kNegative}) {
    const std::vector<float> values = sample(form, 20000);
    const ValueStatistics statistics = observe(values);
    const double width = statistics.histogram.bin_width();
    const Ends full = as_ends(choose(statistics, ObserverKind::kMinMax));
    for (const int bits : {4, 8}) {
      const auto cost = [&](Ends ends) { return slow_error(values, ends, bits, false, 1.0); };
      const Ends expected = shrink_range(full, false, width / 2.0, cost);
      const Range range = choose(statistics, ObserverKind::kMse, bits);
      const double distance =
          std::max(std::abs(range.min - expected.low), std::abs(range.max - expected.high));
      constexpr double kSameError = 1.01;
      EXPECT_TRUE(distance <= width ||
                  (bits == 8 && cost(as_ends(range)) <= kSameError * cost(expected)))
          << static_cast<int>(form) << ", " << bits << " bits: " << distance / width << " bins, "
          << cost(as_ends(range)) / cost(expected) << " of the error";
    }
  }
}

TEST(ErrorObservers, ClipOutliersAndSqnrClipsLess) {
  const ValueStatistics statistics = observe(sample(Form::kOutliers));
  const Range mse = choose(statistics, ObserverKind::kMse, 4);
  const Range sqnr = choose(statistics, ObserverKind::kSqnr, 4);
  EXPECT_LT(mse.max, 0.5F * statistics.max);
  EXPECT_LT(mse.max - mse.min, sqnr.max - sqnr.min);
  EXPECT_LT(sqnr.max - sqnr.min, statistics.max - statistics.min);
}

TEST(ErrorObservers, KeepAUniformRange) {
  const ValueStatistics statistics = observe(sample(Form::kUniform));
  for (const ObserverKind kind : {ObserverKind::kMse, ObserverKind::kSqnr}) {
    const Range range = choose(statistics, kind, 8);
    constexpr float kStep = 10.0F / 255.0F;  // less than half a step at each end costs nothing
    EXPECT_NEAR(range.min, statistics.min, kStep);
    EXPECT_NEAR(range.max, statistics.max, kStep);
  }
}

// ---- entropy

/// The definition, bin by bin.
double slow_divergence(const ValueStatistics& statistics, const Grid& grid) {
  const quant::Histogram& histogram = statistics.histogram;
  std::vector<double> counts(histogram.counts.begin(), histogram.counts.end());
  if (statistics.zero_count > 0) {
    counts[static_cast<std::size_t>(-histogram.first_bin)] -=
        static_cast<double>(statistics.zero_count);
  }
  double below = 0.0;
  double above = 0.0;
  std::vector<std::size_t> inside;
  const auto centre = [&](std::size_t i) {
    return histogram.lower_edge() + (static_cast<double>(i) + 0.5) * histogram.bin_width();
  };
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (centre(i) < (static_cast<double>(grid.low_code) - 0.5) * grid.scale) {
      below += counts[i];
    } else if (centre(i) >= (static_cast<double>(grid.high_code) + 0.5) * grid.scale) {
      above += counts[i];
    } else {
      inside.push_back(i);
    }
  }
  if (inside.empty()) return std::numeric_limits<double>::infinity();
  std::vector<double> reference = counts;
  reference[inside.front()] += below;
  reference[inside.back()] += above;
  std::map<double, std::vector<std::size_t>> codes;
  double mass_inside = 0.0;
  for (const std::size_t i : inside) {
    codes[std::floor(centre(i) / grid.scale + 0.5)].push_back(i);
    mass_inside += counts[i];
  }
  if (mass_inside == 0.0) return std::numeric_limits<double>::infinity();
  const double total = mass_inside + below + above;
  double sum = 0.0;
  for (const auto& [code, bins] : codes) {
    double mass = 0.0;
    double occupied = 0.0;
    for (const std::size_t i : bins) {
      mass += counts[i];
      occupied += reference[i] > 0.0 ? 1.0 : 0.0;
    }
    for (const std::size_t i : bins) {
      if (reference[i] == 0.0) continue;
      const double p = reference[i] / total;
      const double q = std::max(mass, 1e-4) / occupied / mass_inside;
      sum += p * std::log(p / q);
    }
  }
  return sum * total;
}

TEST(BinDensity, DivergenceEqualsItsDefinition) {
  for (const Form form : kForms) {
    const ValueStatistics statistics = observe(sample(form));
    const BinDensity density(statistics);
    const Ends full = as_ends(choose(statistics, ObserverKind::kMinMax));
    for (const int bits : {3, 4, 8}) {
      for (const double factor : {1.0, 0.8, 0.35}) {
        const Grid grid = grid_for({full.low * factor, full.high * factor}, bits, false);
        const double expected = slow_divergence(statistics, grid);
        if (!std::isfinite(expected)) continue;
        EXPECT_NEAR(density.divergence(grid), expected, 1e-6 * (1.0 + std::abs(expected)))
            << static_cast<int>(form) << " " << bits << " " << factor;
      }
    }
  }
}

TEST(Entropy, EqualsTheSlowSearch) {
  for (const Form form : kForms) {
    const ValueStatistics statistics = observe(sample(form, 5000));
    const Ends full = as_ends(choose(statistics, ObserverKind::kMinMax));
    const double width = statistics.histogram.bin_width();
    const Ends expected = shrink_range(full, false, width / 2.0, [&](Ends ends) {
      return slow_divergence(statistics, grid_for(ends, 4, false));
    });
    const Range range = choose(statistics, ObserverKind::kEntropy, 4);
    EXPECT_NEAR(range.min, expected.low, width) << static_cast<int>(form);
    EXPECT_NEAR(range.max, expected.high, width) << static_cast<int>(form);
  }
}

TEST(Entropy, KeepsAllWhereCodesAreFinerThanBins) {
  const ValueStatistics statistics = observe(sample(Form::kLaplace));
  EXPECT_EQ(choose(statistics, ObserverKind::kEntropy, 16),
            (Range{statistics.min, statistics.max}));
}

// ---- speed

TEST(Observer, TakesAboutAMillisecond) {
  for (const Form form : kForms) {
    const ValueStatistics statistics = observe(sample(form));
    for (const ObserverKind kind : kAll) {
      const std::clock_t start = std::clock();
      (void)choose(statistics, kind, 8);
      const double ms = 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      RecordProperty(observer_name(kind), std::to_string(ms));
      EXPECT_LT(ms, 100.0) << observer_name(kind);  // sanitizers run this too
    }
  }
}

}  // namespace
}  // namespace hexquant::calibrate
