#include "weights/granularity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "hexquant/error.h"

namespace hexquant::weights {
namespace {

constexpr std::size_t kSymmetric = 0;
constexpr std::size_t kAsymmetric = 1;
constexpr std::size_t kTensor = 0;
constexpr std::size_t kChannel = 1;
constexpr std::size_t kGroup128 = 2;
constexpr std::size_t kGroup32 = 3;
/// float32 scales and products against the hand's exact numbers.
constexpr double kTolerance = 1e-6;

TEST(Granularity, symmetric_errors_by_hand) {
  // Per tensor the scale is 7 / 7 = 1: row {0.4, -0.6} -> {0, -1}, errors 0.16 + 0.16.
  // Per channel row 0 has scale 0.6 / 7: 0.4 = 4.667 steps -> 5 steps, error (1/3 * 0.6/7)^2.
  const Tensor values = Tensor::from<float>({2, 2}, std::vector<float>{0.4F, -0.6F, 7.0F, 3.0F});
  const GranularityRow row = measure_granularity(values, 0, 1, 4);
  EXPECT_NEAR(row.errors[kSymmetric][kTensor].squared_error, 0.32, kTolerance);
  EXPECT_NEAR(row.errors[kSymmetric][kTensor].mse(), 0.08, kTolerance);
  EXPECT_NEAR(row.errors[kSymmetric][kTensor].signal, 0.16 + 0.36 + 49.0 + 9.0, 1e-5);
  const double step = 0.6 / 7.0;
  EXPECT_NEAR(row.errors[kSymmetric][kChannel].squared_error, step * step / 9.0, kTolerance);
  // Both rows are shorter than a block, so groups are the rows.
  EXPECT_EQ(row.errors[kSymmetric][kGroup32].squared_error,
            row.errors[kSymmetric][kChannel].squared_error);
}

TEST(Granularity, asymmetric_codes_of_a_positive_tensor_have_twice_the_resolution) {
  // Symmetric: scale 15 / 7; asymmetric: scale 1, every value on the grid.
  const Tensor values = Tensor::from<float>({1, 4}, std::vector<float>{15.0F, 4.0F, 9.0F, 2.0F});
  const GranularityRow row = measure_granularity(values, 0, 1, 4);
  EXPECT_EQ(row.errors[kAsymmetric][kTensor].squared_error, 0.0);
  EXPECT_TRUE(std::isinf(row.errors[kAsymmetric][kTensor].sqnr_db()));
  EXPECT_GT(row.errors[kSymmetric][kTensor].squared_error, 0.1);
}

TEST(Granularity, scales_are_counted) {
  const Tensor values(DType::kFloat32, {6, 160});
  const GranularityRow row = measure_granularity(values, 0, 1, 8);
  EXPECT_EQ(row.errors[kSymmetric][kTensor].scale_bytes, 4);
  EXPECT_EQ(row.errors[kSymmetric][kChannel].scale_bytes, 24);
  EXPECT_EQ(row.errors[kSymmetric][kGroup128].scale_bytes, 6 * 2 * 4);
  EXPECT_EQ(row.errors[kSymmetric][kGroup32].scale_bytes, 6 * 5 * 4);
  EXPECT_EQ(row.errors[kAsymmetric][kGroup32].scale_bytes, 6 * 5 * 5);
  EXPECT_TRUE(std::isnan(row.errors[kSymmetric][kTensor].sqnr_db()));
}

TEST(Granularity, finer_scales_never_cost_accuracy) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const Shape& shape : {Shape{16, 256}, Shape{8, 130, 3, 3}, Shape{7, 300}}) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = normal(random) * std::exp(0.02F * static_cast<float>(i % 97));
    }
    const auto errors =
        measure_granularity(Tensor::from<float>(shape, values), 0, 1, 8).errors[kSymmetric];
    constexpr double kSlack = 1.02;  // rounding luck of single elements
    EXPECT_LE(errors[kGroup32].mse(), errors[kGroup128].mse() * kSlack);
    EXPECT_LE(errors[kGroup128].mse(), errors[kChannel].mse() * kSlack);
    EXPECT_LE(errors[kChannel].mse(), errors[kTensor].mse() * kSlack);
  }
}

TEST(Granularity, no_channels_means_one_scale) {
  const Tensor values = Tensor::from<float>({2, 2}, std::vector<float>{0.4F, -0.6F, 7.0F, 3.0F});
  const auto errors = measure_granularity(values, -1, 0, 8).errors[kSymmetric];
  EXPECT_EQ(errors[kChannel].squared_error, errors[kTensor].squared_error);
  EXPECT_EQ(errors[kChannel].scale_bytes, 4);
}

TEST(Granularity, totals_weigh_by_elements) {
  GranularityRow small;
  small.errors[0][0] = {.squared_error = 8.0, .signal = 100.0, .elements = 2, .scale_bytes = 4};
  GranularityRow large;
  large.errors[0][0] = {.squared_error = 2.0, .signal = 900.0, .elements = 8, .scale_bytes = 4};
  const ScaleError total = total_granularity({small, large}).errors[0][0];
  EXPECT_EQ(total.mse(), 1.0);
  EXPECT_EQ(total.sqnr_db(), 20.0);
  EXPECT_EQ(total.scale_bytes, 8);
}

TEST(Granularity, bad_arguments_are_errors) {
  const Tensor values(DType::kFloat32, {2, 2});
  EXPECT_THROW((void)measure_granularity(values, 0, 1, 7), Error);
  EXPECT_THROW((void)measure_granularity(values, 0, 2, 8), Error);
  const Tensor broken =
      Tensor::from<float>({1}, std::vector<float>{std::numeric_limits<float>::infinity()});
  EXPECT_THROW((void)measure_granularity(broken, 0, 0, 8), Error);
}

}  // namespace
}  // namespace hexquant::weights
