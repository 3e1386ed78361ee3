#include "weights/round_layer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "hexquant/error.h"
#include "weights/rounding_problems.h"

namespace hexquant::weights {
namespace {

using testing::random_problem;
using testing::slow_error;
using testing::spec;
using testing::values_of;

/// Sums of float products against sums of doubles, relative.
constexpr double kErrorAccuracy = 1e-6;

std::vector<GridSpec> many_specs() {
  GridSpec asymmetric = spec(DType::kUInt8, Granularity::kTensor);
  asymmetric.symmetric = false;
  GridSpec strict = spec(DType::kInt8, Granularity::kChannel);
  strict.strict = true;
  return {spec(DType::kInt4, Granularity::kChannel),
          spec(DType::kInt4, Granularity::kTensor),
          spec(DType::kInt4, Granularity::kGroup, 16),
          spec(DType::kInt4, Granularity::kGroup, 70),
          spec(DType::kInt4, Granularity::kGroup, 300),
          spec(DType::kInt8, Granularity::kTensor),
          spec(DType::kInt16, Granularity::kChannel),
          asymmetric,
          strict};
}

TEST(RoundLayer, ErrorsAreThoseOfTheContractAndFallFromStepToStep) {
  const LayerProblem problem = random_problem(2, 5, 77, 1);
  for (const GridSpec& grid : many_specs()) {
    RoundedLayer layer = round_layer(problem, grid, {});
    const double expected = slow_error(problem, values_of(problem, grid, layer));
    EXPECT_TRUE(std::abs(layer.error - expected) <= kErrorAccuracy * expected);
    EXPECT_LT(layer.error_clip, layer.error_min_max);
    EXPECT_LT(layer.error_gptq, layer.error_clip);
    // The error that falls is the one under H'; without the damping it may rise a little.
    constexpr double kDampingShare = 1.01;
    EXPECT_LE(layer.error, layer.error_gptq * kDampingShare);
  }
}

TEST(RoundLayer, SameBytesForAnyNumberOfThreads) {
  for (const LayerProblem& problem : {random_problem(1, 150, 130, 2), random_problem(9, 1, 9, 3)}) {
    for (const GridSpec& grid : many_specs()) {
      RoundingOptions options;
      const RoundedLayer one = round_layer(problem, grid, options);
      for (const int threads : {2, 5}) {
        options.threads = threads;
        const RoundedLayer many = round_layer(problem, grid, options);
        EXPECT_EQ(one.codes, many.codes);
        EXPECT_EQ(one.scale, many.scale);
        EXPECT_EQ(one.zero_point, many.zero_point);
        EXPECT_EQ(one.error, many.error);
      }
    }
  }
}

TEST(RoundLayer, ScalesAndCodesHaveTheSizesAndBoundsOfTheContract) {
  const LayerProblem problem = random_problem(2, 3, 20, 5);
  const auto sizes = [&](const GridSpec& grid) {
    const RoundedLayer layer = round_layer(problem, grid, {});
    EXPECT_EQ(layer.codes.size(), 120U);
    EXPECT_EQ(layer.scale.size(), layer.zero_point.size());
    const Encoding encoding =
        encoding_from_range({0.0F, 1.0F}, grid.type, grid.symmetric, grid.strict);
    for (const std::int32_t code : layer.codes) {
      EXPECT_GE(code, encoding.q_min());
      EXPECT_LE(code, encoding.q_max());
    }
    for (const float scale : layer.scale) EXPECT_GT(scale, 0.0F);
    return layer.scale.size();
  };
  for (const GridSpec& grid : many_specs()) {
    const std::size_t expected = grid.granularity == Granularity::kTensor    ? 1U
                                 : grid.granularity == Granularity::kChannel ? 6U
                                 : grid.block_size == 16                     ? 12U
                                                                             : 6U;
    EXPECT_EQ(sizes(grid), expected);
  }
  EXPECT_EQ(sizes(spec(DType::kInt4, Granularity::kGroup, 7)), 18U);
}

TEST(RoundLayer, NearestRoundingReproducesTheCodes) {
  const LayerProblem problem = random_problem(1, 20, 77, 15);
  for (const GridSpec& grid : many_specs()) {
    const RoundedLayer layer = round_layer(problem, grid, {});
    const std::vector<float> values = values_of(problem, grid, layer);
    for (std::size_t at = 0; at < values.size(); ++at) {
      const auto element = static_cast<std::int64_t>(at);
      const std::size_t s = testing::scale_index(problem, grid, element / 77, element % 77);
      ASSERT_EQ(
          std::nearbyint(values[at] / layer.scale[s]) + static_cast<float>(layer.zero_point[s]),
          static_cast<float>(layer.codes[at]));
    }
  }
}

TEST(RoundLayer, LpbqScalesAreIntegersTimesTheRowScale) {
  const LayerProblem problem = random_problem(2, 4, 50, 6);
  GridSpec grid = spec(DType::kInt4, Granularity::kGroup, 16);
  for (const int bits : {1, 4, 8}) {
    grid.block_scale_bits = bits;
    for (const bool all : {false, true}) {
      RoundingOptions options;
      options.clip_search = options.gptq = options.coordinate_descent = all;
      const RoundedLayer layer = round_layer(problem, grid, options);
      ASSERT_EQ(layer.row_scale.size(), 8U);
      ASSERT_EQ(layer.scale.size(), 32U);
      ASSERT_EQ(layer.block_int_scale.size(), 32U);
      for (std::size_t s = 0; s < layer.scale.size(); ++s) {
        EXPECT_GE(layer.block_int_scale[s], 1);
        EXPECT_LE(layer.block_int_scale[s], 1 << bits);
        EXPECT_EQ(layer.scale[s],
                  static_cast<float>(layer.block_int_scale[s]) * layer.row_scale[s / 4]);
      }
      const double expected = slow_error(problem, values_of(problem, grid, layer));
      EXPECT_TRUE(std::abs(layer.error - expected) <= kErrorAccuracy * expected);
      EXPECT_TRUE(!all || layer.error < 0.5 * layer.error_min_max);
    }
  }
}

TEST(RoundLayer, LpbqOfMinMaxRangesByHand) {
  // Block ranges 7, 3.5 and 0.3 at 7 steps: scales 1, 0.5, 0.043 = 16, 8 and 1 sixteenths.
  LayerProblem problem;
  problem.rows = 1;
  problem.columns = 6;
  problem.weights = {7.0F, 1.0F, -3.5F, 0.5F, 0.3F, 0.0F};
  problem.target = problem.weights;
  problem.gram.assign(36, 0.0F);
  for (std::size_t j = 0; j < 6; ++j) problem.gram[7 * j] = 1.0F;
  GridSpec grid = spec(DType::kInt4, Granularity::kGroup, 2);
  grid.block_scale_bits = 4;
  RoundingOptions options;
  options.clip_search = options.gptq = options.coordinate_descent = false;
  const RoundedLayer layer = round_layer(problem, grid, options);
  EXPECT_EQ(layer.row_scale, (std::vector<float>{0.0625F}));
  EXPECT_EQ(layer.block_int_scale, (std::vector<std::uint16_t>{16, 8, 1}));
  EXPECT_EQ(layer.scale, (std::vector<float>{1.0F, 0.5F, 0.0625F}));
  EXPECT_EQ(layer.codes, (std::vector<std::int32_t>{7, 1, -7, 1, 5, 0}));
}

TEST(RoundLayer, AsymmetricCodesMoveByTheZeroPoint) {
  LayerProblem problem;
  problem.rows = 1;
  problem.columns = 3;
  problem.weights = {-1.0F, 0.0F, 4.1F};  // 255 steps of 0.02 from -1
  problem.target = problem.weights;
  problem.gram = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  GridSpec grid = spec(DType::kUInt8, Granularity::kTensor);
  grid.symmetric = false;
  const RoundedLayer layer = round_layer(problem, grid, {});
  EXPECT_EQ(layer.zero_point, (std::vector<std::int32_t>{50}));
  EXPECT_EQ(layer.codes, (std::vector<std::int32_t>{0, 50, 255}));
}

TEST(RoundLayer, RangeFactorKeepsTheOuterCodesUnused) {
  LayerProblem problem = random_problem(1, 20, 30, 7);
  for (float& value : problem.target) value *= 1.2F;  // beyond the range of the weights
  GridSpec grid = spec(DType::kInt16, Granularity::kChannel);
  grid.range_factor = 32767.0F / 32639.0F;
  const RoundedLayer layer = round_layer(problem, grid, {});
  const auto [low, high] = std::minmax_element(layer.codes.begin(), layer.codes.end());
  EXPECT_GE(*low, -32640);
  EXPECT_LE(*high, 32639);
  EXPECT_GT(std::max(-*low, *high), 32000);
}

TEST(RoundLayer, ZeroGramGivesNearestCodesOfTheTarget) {
  LayerProblem problem = random_problem(2, 3, 9, 8);
  std::fill(problem.gram.begin(), problem.gram.end(), 0.0F);
  for (const GridSpec& grid : many_specs()) {
    const RoundedLayer layer = round_layer(problem, grid, {});
    EXPECT_EQ(layer.error, 0.0);
    for (std::size_t at = 0; at < layer.codes.size(); ++at) {
      const auto element = static_cast<std::int64_t>(at);
      const std::size_t s = testing::scale_index(problem, grid, element / 9, element % 9);
      const float scale = layer.scale[s];
      const Encoding encoding =
          encoding_from_range({0.0F, 1.0F}, grid.type, grid.symmetric, grid.strict);
      const double code =
          std::clamp(std::nearbyint(double{problem.target[at]} / scale) + layer.zero_point[s],
                     static_cast<double>(encoding.q_min()), static_cast<double>(encoding.q_max()));
      EXPECT_EQ(layer.codes[at], code) << at;
    }
  }
}

TEST(RoundLayer, DeadColumnsTakeTheNearestCodeAndDisturbNothing) {
  const LayerProblem small = random_problem(1, 3, 10, 9);
  LayerProblem wide = small;  // columns 3 and 10 are dead
  wide.columns = 12;
  wide.weights.clear();
  wide.target.clear();
  wide.gram.assign(144, 0.0F);
  const auto source = [](std::int64_t j) {
    return j == 3 || j == 10 ? -1 : j - (j > 3) - (j > 10);
  };
  for (std::int64_t r = 0; r < 3; ++r) {
    for (std::int64_t j = 0; j < 12; ++j) {
      const bool dead = source(j) < 0;
      const auto at = static_cast<std::size_t>(r * 10 + source(j));
      wide.weights.push_back(dead ? 0.37F : small.weights[at]);
      wide.target.push_back(dead ? 0.37F : small.target[at]);
    }
  }
  for (std::int64_t i = 0; i < 12; ++i) {
    for (std::int64_t j = 0; j < 12; ++j) {
      if (source(i) < 0 || source(j) < 0) continue;
      wide.gram[static_cast<std::size_t>(i * 12 + j)] =
          small.gram[static_cast<std::size_t>(source(i) * 10 + source(j))];
    }
  }
  for (const double damping : {0.0, 0.01}) {
    RoundingOptions options;
    options.damping = damping;
    options.clip_search = options.search_gptq_scales = options.rescale = false;
    RoundingOptions same = options;
    same.damping = damping * 12.0 / 10.0;  // the mean is taken over two more columns
    const GridSpec grid = spec(DType::kInt4, Granularity::kChannel);
    const RoundedLayer expected = round_layer(small, grid, same);
    const RoundedLayer layer = round_layer(wide, grid, options);
    EXPECT_EQ(layer.scale, expected.scale);
    for (std::int64_t r = 0; r < 3; ++r) {
      for (std::int64_t j = 0; j < 12; ++j) {
        const std::int32_t code = layer.codes[static_cast<std::size_t>(r * 12 + j)];
        if (source(j) < 0) {
          EXPECT_EQ(code, std::nearbyint(0.37F / layer.scale[static_cast<std::size_t>(r)]));
        } else {
          EXPECT_EQ(code, expected.codes[static_cast<std::size_t>(r * 10 + source(j))]);
        }
      }
    }
  }
}

/// No step may fail or do worse than the start, whatever the matrix.
void expect_sound(const LayerProblem& problem, double damping) {
  for (const GridSpec& grid : many_specs()) {
    RoundingOptions options;
    options.damping = damping;
    const RoundedLayer layer = round_layer(problem, grid, options);
    const std::vector<float> values = values_of(problem, grid, layer);
    EXPECT_TRUE(std::isfinite(layer.error));
    RoundingOptions nothing = options;
    nothing.clip_search = nothing.gptq = nothing.coordinate_descent = false;
    const RoundedLayer start = round_layer(problem, grid, nothing);
    const double before = slow_error(problem, values_of(problem, grid, start), damping);
    EXPECT_TRUE(slow_error(problem, values, damping) <= before * (1.0 + kErrorAccuracy));
  }
}

TEST(RoundLayer, SingularGramOfOneSample) {
  LayerProblem problem = random_problem(1, 6, 70, 10);
  for (std::int64_t i = 0; i < 70; ++i) {
    for (std::int64_t j = 0; j < 70; ++j) {
      problem.gram[static_cast<std::size_t>(i * 70 + j)] =
          problem.weights[static_cast<std::size_t>(i)] *
          problem.weights[static_cast<std::size_t>(j)];
    }
  }
  for (const double damping : {0.0, 1e-9, 0.01}) expect_sound(problem, damping);
  // One direction matters: its error all but vanishes against nearest rounding.
  const RoundedLayer layer = round_layer(problem, spec(DType::kInt4, Granularity::kChannel), {});
  EXPECT_LT(layer.error, 0.05 * layer.error_min_max);
}

TEST(RoundLayer, GramOfFewerSamplesThanColumns) {
  std::mt19937 random(11);
  LayerProblem problem = random_problem(1, 6, 70, 11);
  problem.gram = testing::correlated_gram(70, 20, random);
  for (const double damping : {0.0, 1e-9, 0.01}) expect_sound(problem, damping);
}

TEST(RoundLayer, BadlyScaledColumns) {
  LayerProblem problem = random_problem(2, 3, 40, 12);
  for (std::int64_t g = 0; g < 2; ++g) {
    for (std::int64_t i = 0; i < 40; ++i) {
      for (std::int64_t j = 0; j < 40; ++j) {
        problem.gram[static_cast<std::size_t>((g * 40 + i) * 40 + j)] *=
            static_cast<float>(std::pow(10.0, static_cast<double>(i % 5 + j % 5) * 2.0 - 8.0));
      }
    }
  }
  for (const double damping : {0.0, 1e-9, 0.01}) expect_sound(problem, damping);
}

TEST(RoundLayer, AllZeroWeights) {
  LayerProblem problem = random_problem(1, 2, 8, 13);
  std::fill(problem.weights.begin(), problem.weights.end(), 0.0F);
  problem.target = problem.weights;
  for (const GridSpec& grid : many_specs()) {
    const RoundedLayer layer = round_layer(problem, grid, {});
    EXPECT_EQ(layer.error, 0.0);
    for (std::size_t at = 0; at < layer.codes.size(); ++at) {
      const auto element = static_cast<std::int64_t>(at);
      EXPECT_EQ(layer.codes[at],
                layer.zero_point[testing::scale_index(problem, grid, element / 8, element % 8)]);
    }
  }
}

TEST(RoundLayer, SkippedStepsRepeatTheErrorBefore) {
  const LayerProblem problem = random_problem(1, 4, 30, 14);
  RoundingOptions options;
  options.gptq = false;
  options.coordinate_descent = false;
  const RoundedLayer clip =
      round_layer(problem, spec(DType::kInt4, Granularity::kChannel), options);
  EXPECT_LT(clip.error_clip, clip.error_min_max);
  EXPECT_EQ(clip.error_gptq, clip.error_clip);
  EXPECT_EQ(clip.error, clip.error_clip);
  EXPECT_EQ(clip.sweeps, 0);
}

TEST(RoundLayer, RefusesWhatIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    LayerProblem problem = random_problem(1, 2, 3, 4);
    problem.target[4] = bad;
    try {
      (void)round_layer(problem, {}, {});
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find("target"), std::string::npos);
      EXPECT_NE(std::string(error.what()).find("element 4"), std::string::npos);
    }
  }
}

TEST(RoundLayer, RefusesSizesAndOptionsThatDoNotFit) {
  const LayerProblem good = random_problem(1, 2, 3, 4);
  LayerProblem problem = good;
  problem.gram.pop_back();
  EXPECT_THROW((void)round_layer(problem, {}, {}), Error);
  problem = good;
  problem.weights.push_back(0.0F);
  EXPECT_THROW((void)round_layer(problem, {}, {}), Error);
  problem = good;
  problem.rows = 0;
  EXPECT_THROW((void)round_layer(problem, {}, {}), Error);
  EXPECT_THROW((void)round_layer(good, spec(DType::kInt4, Granularity::kGroup, 0), {}), Error);
  EXPECT_THROW((void)round_layer(good, spec(DType::kFloat32, Granularity::kChannel), {}), Error);
  GridSpec grid = spec(DType::kInt4, Granularity::kChannel);
  grid.block_scale_bits = 4;
  EXPECT_THROW((void)round_layer(good, grid, {}), Error);
  grid = {};
  grid.range_factor = 0.0F;
  EXPECT_THROW((void)round_layer(good, grid, {}), Error);
  RoundingOptions options;
  options.damping = -1.0;
  EXPECT_THROW((void)round_layer(good, {}, options), Error);
  options = {};
  options.threads = 0;
  EXPECT_THROW((void)round_layer(good, {}, options), Error);
}

}  // namespace
}  // namespace hexquant::weights
