#include "calibrate/scan_kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "calibrate/moment_kernels.h"

namespace hexquant::calibrate {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

std::vector<const ScanKernels*> machine_kernels() {
  std::vector<const ScanKernels*> kernels = {&scalar_scan_kernels()};
  if (cpu_has_avx2()) kernels.push_back(&avx2_scan_kernels());
  if (cpu_has_avx512()) kernels.push_back(&avx512_scan_kernels());
  return kernels;
}

struct Scan {
  BinScan scan;
  std::vector<std::uint16_t> indices;
};

Scan scan_bins(const ScanKernels& kernels, const std::vector<float>& data, BinWindow window) {
  std::array<std::uint16_t, kIndexRoom> indices{};
  Scan result;
  result.scan = kernels.scan_bins(data.data(), data.size(), window, indices.data());
  result.indices.assign(indices.begin(), indices.begin() + result.scan.indexed);
  return result;
}

TEST(ScanKernels, PutTiesIntoTheUpperBin) {
  // Bins of width 0.5 from -1 to 1: edges belong to the bin above them.
  const BinWindow window{2.0F, -2, 4};
  const std::vector<float> data = {-1.0F, -0.75F, -0.5F, 0.25F, 0.5F, 0.9F, 0.0F, -0.0F};
  for (const ScanKernels* kernels : machine_kernels()) {
    const Scan got = scan_bins(*kernels, data, window);
    EXPECT_EQ(got.indices, (std::vector<std::uint16_t>{0, 0, 1, 2, 3, 3})) << kernels->name;
    EXPECT_EQ(got.scan.zeros, 2U);
    EXPECT_EQ(got.scan.outside, 0U);
    EXPECT_EQ(got.scan.min, -1.0F);
    EXPECT_EQ(got.scan.max, 0.9F);
  }
}

TEST(ScanKernels, CountWhatLiesOutside) {
  const BinWindow window{1.0F, -2, 4};  // [-2, 2)
  const std::vector<float> data = {2.0F, -2.5F, kNan, kInfinity, -kInfinity, 1e30F, -1e30F, 1.5F};
  for (const ScanKernels* kernels : machine_kernels()) {
    const Scan got = scan_bins(*kernels, data, window);
    EXPECT_EQ(got.scan.outside, 7U) << kernels->name;
    EXPECT_EQ(got.indices, (std::vector<std::uint16_t>{3}));
  }
}

TEST(ScanKernels, KeepNegativeValuesBelowZeroThoughTheirProductUnderflows) {
  const BinWindow window{std::ldexp(1.0F, -100), -1, 2};
  const std::vector<float> data = {-kDenormal, kDenormal, -1e-30F, -1.0F, 1.0F};
  for (const ScanKernels* kernels : machine_kernels()) {
    const Scan got = scan_bins(*kernels, data, window);
    EXPECT_EQ(got.indices, (std::vector<std::uint16_t>{0, 1, 0, 0, 1})) << kernels->name;
  }
}

TEST(ScanKernels, RangeLeavesOutNonFiniteElements) {
  const std::vector<float> data = {3.0F, kNan, -kInfinity, 0.0F, -2.0F, -0.0F, kInfinity};
  for (const ScanKernels* kernels : machine_kernels()) {
    const RangeScan scan = kernels->scan_range(data.data(), data.size());
    EXPECT_EQ(scan.min, -2.0F) << kernels->name;
    EXPECT_EQ(scan.max, 3.0F);
    EXPECT_EQ(scan.non_finite, 3U);
    EXPECT_EQ(scan.zeros, 2U);
    const RangeScan none = kernels->scan_range(data.data() + 1, 2);
    EXPECT_EQ(none.min, kInfinity);
    EXPECT_EQ(none.max, -kInfinity);
    EXPECT_EQ(none.non_finite, 2U);
  }
}

/// Values that test edges: exact bin borders, zeros, specials, all magnitudes.
std::vector<float> odd_values(std::mt19937& random, std::size_t count) {
  std::normal_distribution<float> normal;
  const std::array<float, 10> special = {0.0F,      -0.0F,      kNan, kInfinity, -kInfinity,
                                         kDenormal, -kDenormal, 1.0F, -1.0F,     3.4e38F};
  std::vector<float> values(count);
  for (float& value : values) {
    switch (random() % 6) {
      case 0:
        value = special[random() % special.size()];
        break;
      case 1:
        value = static_cast<float>(static_cast<int>(random() % 64) - 32) / 16.0F;
        break;
      case 2:
        value = std::ldexp(normal(random), static_cast<int>(random() % 250) - 140);
        break;
      default:
        value = normal(random);
    }
  }
  return values;
}

TEST(ScanKernels, AgreeBitForBit) {
  std::mt19937 random(5);
  for (const std::size_t count :
       {0UL, 1UL, 7UL, 8UL, 9UL, 15UL, 16UL, 17UL, 100UL, 2047UL, 2048UL}) {
    for (int exponent = -120; exponent <= 117; exponent += 13) {
      const std::vector<float> data = odd_values(random, count);
      const BinWindow window{std::ldexp(1.0F, -exponent),
                             static_cast<std::int32_t>(random() % 4096) - 3000, 2048};
      const Scan expected = scan_bins(scalar_scan_kernels(), data, window);
      const RangeScan range = scalar_scan_kernels().scan_range(data.data(), count);
      for (const ScanKernels* kernels : machine_kernels()) {
        const Scan got = scan_bins(*kernels, data, window);
        EXPECT_EQ(got.indices, expected.indices) << kernels->name << " 2^" << exponent;
        EXPECT_EQ(got.scan.zeros, expected.scan.zeros);
        EXPECT_EQ(got.scan.outside, expected.scan.outside);
        if (expected.scan.outside == 0) {
          EXPECT_EQ(got.scan.min, expected.scan.min);
          EXPECT_EQ(got.scan.max, expected.scan.max);
        }
        const RangeScan got_range = kernels->scan_range(data.data(), count);
        EXPECT_EQ(got_range.min, range.min);
        EXPECT_EQ(got_range.max, range.max);
        EXPECT_EQ(got_range.non_finite, range.non_finite);
        EXPECT_EQ(got_range.zeros, range.zeros);
      }
    }
  }
}

TEST(MomentKernels, AgreeBitForBit) {
  if (!cpu_has_avx2()) GTEST_SKIP() << "this machine has no AVX2";
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  for (const std::size_t width : {1UL, 3UL, 4UL, 8UL, 16UL, 21UL, 40UL}) {
    const std::size_t rows = 37;
    std::vector<float> data(rows * width);
    for (float& value : data) value = normal(random);
    const RunMoments expected = scalar_moment_kernels().sum_run(data.data(), data.size());
    const RunMoments got = avx2_moment_kernels().sum_run(data.data(), data.size());
    EXPECT_EQ(got.sum, expected.sum);
    EXPECT_EQ(got.sum_of_squares, expected.sum_of_squares);
    std::vector<double> sums[4];
    for (auto& sum : sums) sum.assign(width, 0.5);
    scalar_moment_kernels().add_rows(data.data(), rows, width, sums[0].data(), sums[1].data());
    avx2_moment_kernels().add_rows(data.data(), rows, width, sums[2].data(), sums[3].data());
    EXPECT_EQ(sums[0], sums[2]);
    EXPECT_EQ(sums[1], sums[3]);
  }
}

TEST(MomentKernels, SumRunsAndRows) {
  const std::vector<float> data = {1, 2, 3, 4, 5, 6};
  const RunMoments run = best_moment_kernels().sum_run(data.data(), data.size());
  EXPECT_EQ(run.sum, 21.0);
  EXPECT_EQ(run.sum_of_squares, 91.0);
  std::vector<double> sum(2);
  std::vector<double> squares(2);
  best_moment_kernels().add_rows(data.data(), 3, 2, sum.data(), squares.data());
  EXPECT_EQ(sum, (std::vector<double>{9, 12}));
  EXPECT_EQ(squares, (std::vector<double>{35, 56}));
}

}  // namespace
}  // namespace hexquant::calibrate
