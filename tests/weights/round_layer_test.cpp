#include "weights/round_layer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "hexquant/error.h"
#include "weights/rounding_problems.h"

namespace hexquant::weights {
namespace {

using testing::random_problem;
using testing::slow_error;
using testing::values_of;

/// Sums of float products against sums of doubles, relative.
constexpr double kErrorAccuracy = 1e-6;

GridSpec spec(DType type, Granularity granularity, std::int64_t block_size = 0) {
  GridSpec grid;
  grid.type = type;
  grid.granularity = granularity;
  grid.block_size = block_size;
  return grid;
}

std::vector<GridSpec> many_specs() {
  GridSpec asymmetric = spec(DType::kUInt8, Granularity::kTensor);
  asymmetric.symmetric = false;
  GridSpec strict = spec(DType::kInt8, Granularity::kChannel);
  strict.strict = true;
  return {spec(DType::kInt4, Granularity::kChannel),
          spec(DType::kInt4, Granularity::kTensor),
          spec(DType::kInt4, Granularity::kGroup, 16),
          spec(DType::kInt4, Granularity::kGroup, 70),
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
    EXPECT_LE(layer.error, layer.error_gptq * 1.001);
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

}  // namespace
}  // namespace hexquant::weights
