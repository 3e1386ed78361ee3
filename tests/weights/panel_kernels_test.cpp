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
