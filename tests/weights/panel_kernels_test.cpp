#include "weights/panel_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "weights/aligned_floats.h"

namespace hexquant::weights {
namespace {

constexpr std::int64_t kColumns = 37;

/// Inputs of one run of all kernels, and everything they write.
struct Data {
  explicit Data(std::int64_t lanes_in) : lanes(lanes_in) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    const auto fill = [&](AlignedFloats& buffer, std::int64_t count) {
      buffer.resize(count);
      for (std::int64_t i = 0; i < count; ++i) buffer.data()[i] = normal(random);
    };
    for (AlignedFloats* buffer : {&target, &carried, &steps, &difference, &gradient, &change}) {
      fill(*buffer, kColumns * lanes);
    }
    for (std::int64_t i = 0; i < kColumns * lanes; ++i) {
      steps.data()[i] = std::clamp(std::nearbyint(steps.data()[i] * 3.0F), -8.0F, 7.0F);
    }
    fill(matrix, kColumns * kColumns);
    for (std::int64_t j = 0; j < kColumns; ++j) matrix.data()[j * (kColumns + 1)] = 7.0F;
    for (AlignedFloats* buffer : {&scale, &low, &high}) buffer->resize(2 * lanes);
    for (std::int64_t i = 0; i < 2 * lanes; ++i) {
      scale.data()[i] = 0.2F + 0.01F * static_cast<float>(i);
      low.data()[i] = -8.0F;
      high.data()[i] = 7.0F;
    }
    for (std::int64_t j = 0; j < kColumns; ++j) block.push_back(j < 20 ? 0 : 1);
    sums.resize(3 * lanes);
    columns.resize(kColumns);
    std::iota(columns.begin(), columns.end(), 0);
    changed.resize(kColumns, -1);
  }

  void run(const PanelKernels& kernels) {
    const PanelGrid grid{scale.data(), low.data(), high.data(), block.data()};
    kernels.add_product({carried.data(), target.data(), matrix.data(), kColumns, columns.data() + 3,
                         20, 1, kColumns});
    kernels.round_gptq({target.data(), carried.data(), steps.data(), difference.data(),
                        matrix.data(), kColumns, 2, 30, grid, sums.data()});
    count = kernels.descend({gradient.data(), steps.data(), change.data(), matrix.data(), kColumns,
                             1, 36, grid, 1e-5F, sums.data() + lanes, changed.data()});
    kernels.round_nearest(target.data(), grid, 30, kColumns, steps.data(), difference.data());
    kernels.dot(target.data(), gradient.data(), 0, kColumns, sums.data() + 2 * lanes);
  }

  /// Everything written, one after the other.
  [[nodiscard]] std::vector<float> written() const {
    std::vector<float> all;
    for (const AlignedFloats* buffer : {&carried, &steps, &difference, &gradient, &change}) {
      all.insert(all.end(), buffer->data(), buffer->data() + kColumns * lanes);
    }
    all.insert(all.end(), sums.data(), sums.data() + 3 * lanes);
    for (const std::int32_t column : changed) all.push_back(static_cast<float>(column));
    all.push_back(static_cast<float>(count));
    return all;
  }

  std::int64_t lanes;
  std::int64_t count = 0;
  AlignedFloats target, carried, steps, difference, gradient, change, matrix, scale, low, high,
      sums;
  std::vector<std::int32_t> block, columns, changed;
};

class PanelKernelsTest : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(PanelKernelsTest, VariantsAgreeBitForBit) {
  Data expected(GetParam());
  expected.run(portable_panel_kernels(GetParam()));
  EXPECT_GT(expected.count, 0);
  std::vector<const PanelKernels*> variants;
  if (cpu_runs_avx2_panels()) variants.push_back(&avx2_panel_kernels(GetParam()));
  if (cpu_runs_avx512_panels()) variants.push_back(&avx512_panel_kernels(GetParam()));
  for (const PanelKernels* kernels : variants) {
    EXPECT_EQ(kernels->lanes, GetParam());
    Data data(GetParam());
    data.run(*kernels);
    EXPECT_EQ(data.written(), expected.written()) << kernels->name;
  }
}

TEST_P(PanelKernelsTest, ProductsAgreeWithDoubles) {
  const std::int64_t lanes = GetParam();
  for (std::int64_t last = 1; last <= kColumns; ++last) {
    Data data(lanes);
    const Data before(lanes);
    best_panel_kernels(lanes).add_product({data.carried.data(), data.target.data(),
                                           data.matrix.data(), kColumns, data.columns.data(), last,
                                           0, last});
    for (std::int64_t k = 0; k < last; ++k) {
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        double expected = before.carried.data()[k * lanes + lane];
        for (std::int64_t j = 0; j < last; ++j) {
          expected += double{before.matrix.data()[j * kColumns + k]} *
                      before.target.data()[j * lanes + lane];
        }
        // Float sums of at most 37 products of magnitude around 1, one of them up to 7 x 4.
        constexpr double kFloatSum = 1e-4;
        const double got = data.carried.data()[k * lanes + lane];
        ASSERT_TRUE(std::abs(got - expected) <= kFloatSum) << got << " vs " << expected;
      }
    }
  }
}

/// (T - V) H (T - V)^T of one lane in double.
double lane_error(const Data& data, std::int64_t lane) {
  std::vector<double> difference;
  for (std::int64_t j = 0; j < kColumns; ++j) {
    const std::int64_t at = j * data.lanes + lane;
    const std::int64_t scale_at = data.block[static_cast<std::size_t>(j)] * data.lanes + lane;
    difference.push_back(data.target.data()[at] -
                         double{data.steps.data()[at]} * data.scale.data()[scale_at]);
  }
  double error = 0.0;
  for (std::size_t i = 0; i < difference.size(); ++i) {
    for (std::size_t j = 0; j < difference.size(); ++j) {
      error += difference[i] * difference[j] *
               data.matrix.data()[i * static_cast<std::size_t>(kColumns) + j];
    }
  }
  return error;
}

TEST_P(PanelKernelsTest, DescentGainsWhatItSays) {
  const std::int64_t lanes = GetParam();
  Data data(lanes);
  for (std::int64_t i = 0; i < kColumns; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      data.matrix.data()[i * kColumns + j] = data.matrix.data()[j * kColumns + i];
    }
  }
  std::fill_n(data.gradient.data(), kColumns * lanes, 0.0F);
  std::vector<double> before;
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    before.push_back(lane_error(data, lane));
    for (std::int64_t j = 0; j < kColumns; ++j) {
      const std::int64_t at = j * lanes + lane;
      data.change.data()[at] =
          data.target.data()[at] -
          data.steps.data()[at] *
              data.scale.data()[data.block[static_cast<std::size_t>(j)] * lanes + lane];
    }
  }
  const PanelKernels& kernels = best_panel_kernels(lanes);
  kernels.add_product({data.gradient.data(), data.change.data(), data.matrix.data(), kColumns,
                       data.columns.data(), kColumns, 0, kColumns});
  const PanelGrid grid{data.scale.data(), data.low.data(), data.high.data(), data.block.data()};
  data.count = kernels.descend({data.gradient.data(), data.steps.data(), data.change.data(),
                                data.matrix.data(), kColumns, 0, kColumns, grid, 1e-5F,
                                data.sums.data(), data.changed.data()});
  EXPECT_GT(data.count, kColumns / 2);
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    const double start = before[static_cast<std::size_t>(lane)];
    const double gain = start - lane_error(data, lane);
    // Float gradients of magnitude sqrt(error): relative to the error before.
    constexpr double kFloatGain = 1e-4;
    EXPECT_GE(gain, 0.0);
    EXPECT_TRUE(std::abs(data.sums.data()[lane] - gain) <= kFloatGain * std::abs(start));
  }
}

INSTANTIATE_TEST_SUITE_P(Lanes, PanelKernelsTest, ::testing::Values(kWideLanes, kNarrowLanes));

TEST(PanelKernels, NearestStepsTakeTiesToEven) {
  AlignedFloats target, scale, low, high, steps, difference;
  for (AlignedFloats* buffer : {&target, &scale, &low, &high, &steps, &difference}) {
    buffer->resize(kNarrowLanes);
    std::fill_n(buffer->data(), kNarrowLanes, 0.0F);
  }
  const std::vector<float> values = {1.0F, 3.0F, -1.0F, -3.0F, 100.0F, -100.0F, 2.2F, 0.0F};
  std::copy(values.begin(), values.end(), target.data());
  std::fill_n(scale.data(), kNarrowLanes, 2.0F);
  std::fill_n(low.data(), kNarrowLanes, -8.0F);
  std::fill_n(high.data(), kNarrowLanes, 7.0F);
  const std::int32_t block = 0;
  best_panel_kernels(kNarrowLanes)
      .round_nearest(target.data(), {scale.data(), low.data(), high.data(), &block}, 0, 1,
                     steps.data(), difference.data());
  EXPECT_EQ(std::vector<float>(steps.data(), steps.data() + 8),
            (std::vector<float>{0, 2, 0, -2, 7, -8, 1, 0}));
  EXPECT_EQ(difference.data()[4], 14.0F - 100.0F);
}

}  // namespace
}  // namespace hexquant::weights
