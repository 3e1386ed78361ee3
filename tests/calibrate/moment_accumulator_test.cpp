#include "calibrate/moment_accumulator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace hexquant::calibrate {
namespace {

struct Positions {
  std::int64_t groups, rows, columns, count;
  std::vector<float> inputs;   // [groups, count, columns]
  std::vector<float> targets;  // [groups, count, rows]
};

/// Correlated values with a large mean, which float sums would drown in.
Positions random_positions(std::int64_t groups, std::int64_t rows, std::int64_t columns,
                           std::int64_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Positions p{groups, rows, columns, count, {}, {}};
  for (std::int64_t i = 0; i < groups * count; ++i) {
    const float common = normal(random);
    for (std::int64_t c = 0; c < columns; ++c) {
      p.inputs.push_back(100.0F + common + normal(random));
    }
    for (std::int64_t r = 0; r < rows; ++r) p.targets.push_back(-50.0F + 2 * common);
  }
  return p;
}

/// The part of positions [first, last) of every group.
std::vector<float> slice(const std::vector<float>& values, const Positions& p, std::int64_t width,
                         std::int64_t first, std::int64_t last) {
  std::vector<float> part;
  for (std::int64_t g = 0; g < p.groups; ++g) {
    const auto begin = values.begin() + (g * p.count + first) * width;
    part.insert(part.end(), begin, begin + (last - first) * width);
  }
  return part;
}

quant::LayerMoments sum_up(const Positions& p, std::int64_t chunk, int threads) {
  MomentAccumulator sums(p.groups, p.rows, p.columns, threads);
  for (std::int64_t first = 0; first < p.count; first += chunk) {
    const std::int64_t last = std::min(p.count, first + chunk);
    std::vector<float> inputs = slice(p.inputs, p, p.columns, first, last);
    std::vector<float> targets = slice(p.targets, p, p.rows, first, last);
    sums.add(inputs, targets, last - first);
  }
  return sums.finish();
}

double mean_of(const std::vector<float>& values, std::int64_t first, std::int64_t stride,
               std::int64_t count) {
  double sum = 0.0;
  for (std::int64_t p = 0; p < count; ++p) {
    sum += values[static_cast<std::size_t>(first + p * stride)];
  }
  return sum / static_cast<double>(count);
}

constexpr double kFloatSum = 2e-3;  // covariances around 1 from float sums of some hundred products

void expect_reference(const Positions& p, const quant::LayerMoments& moments) {
  EXPECT_EQ(moments.count, p.count);
  const std::int64_t n = p.columns;
  const auto covariance = [&](const std::vector<float>& a, std::int64_t wa, std::int64_t ia,
                              std::int64_t g, std::int64_t ib) {
    const double ma = mean_of(a, g * p.count * wa + ia, wa, p.count);
    const double mb = mean_of(p.inputs, g * p.count * n + ib, n, p.count);
    double sum = 0.0;
    for (std::int64_t i = 0; i < p.count; ++i) {
      sum += (a[static_cast<std::size_t>((g * p.count + i) * wa + ia)] - ma) *
             (p.inputs[static_cast<std::size_t>((g * p.count + i) * n + ib)] - mb);
    }
    return sum / static_cast<double>(p.count);
  };
  for (std::int64_t g = 0; g < p.groups; ++g) {
    for (std::int64_t j = 0; j < n; ++j) {
      EXPECT_NEAR(moments.mean[static_cast<std::size_t>(g * n + j)],
                  mean_of(p.inputs, g * p.count * n + j, n, p.count), 1e-4);
      for (std::int64_t i = 0; i < n; ++i) {
        EXPECT_NEAR(moments.gram[static_cast<std::size_t>((g * n + i) * n + j)],
                    covariance(p.inputs, n, i, g, j), kFloatSum);
      }
      for (std::int64_t r = 0; r < p.rows; ++r) {
        EXPECT_NEAR(moments.cross[static_cast<std::size_t>((g * p.rows + r) * n + j)],
                    covariance(p.targets, p.rows, r, g, j), kFloatSum);
      }
    }
    for (std::int64_t r = 0; r < p.rows; ++r) {
      EXPECT_NEAR(moments.target_mean[static_cast<std::size_t>(g * p.rows + r)],
                  mean_of(p.targets, g * p.count * p.rows + r, p.rows, p.count), 1e-4);
    }
  }
}

TEST(MomentAccumulator, EqualsTheDoubleReference) {
  const Positions dense = random_positions(1, 3, 5, 301, 1);
  expect_reference(dense, sum_up(dense, 64, 1));
  const Positions grouped = random_positions(4, 2, 3, 97, 2);
  expect_reference(grouped, sum_up(grouped, 97, 2));
}

TEST(MomentAccumulator, WiderThanOnePart) {
  const Positions wide = random_positions(1, 2, 300, 40, 3);
  const quant::LayerMoments moments = sum_up(wide, 16, 2);
  expect_reference(wide, moments);
  EXPECT_EQ(moments.gram[299], moments.gram[299 * 300]) << "symmetric";
}

TEST(MomentAccumulator, SameBytesForAnyThreadCount) {
  const Positions positions = random_positions(1, 7, 520, 100, 4);
  const quant::LayerMoments one = sum_up(positions, 32, 1);
  const quant::LayerMoments many = sum_up(positions, 32, 5);
  EXPECT_EQ(one.gram, many.gram);
  EXPECT_EQ(one.cross, many.cross);
  EXPECT_EQ(one.mean, many.mean);
}

TEST(MomentAccumulator, AConstantInputHasNoCovariance) {
  Positions constant{1, 1, 2, 10, std::vector<float>(20, 3.0F), std::vector<float>(10, 7.0F)};
  const quant::LayerMoments moments = sum_up(constant, 4, 1);
  EXPECT_EQ(moments.gram, std::vector<float>(4, 0.0F));
  EXPECT_EQ(moments.mean, std::vector<double>(2, 3.0));
  EXPECT_EQ(moments.target_mean, std::vector<double>(1, 7.0));
}

}  // namespace
}  // namespace hexquant::calibrate
