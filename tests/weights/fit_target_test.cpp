#include "weights/fit_target.h"

#include <gtest/gtest.h>

namespace hexquant::weights {
namespace {

quant::LayerMoments moments(std::vector<float> gram, std::vector<float> cross) {
  quant::LayerMoments m;
  m.rows = 1;
  m.columns = static_cast<std::int64_t>(cross.size());
  m.count = 100;
  m.mean.assign(cross.size(), 0.0);
  m.gram = std::move(gram);
  m.cross = std::move(cross);
  m.target_mean = {0.0};
  return m;
}

TEST(FitTarget, SolvesTheNormalEquations) {
  // gram [[2 1] [1 2]], cross = (4, 5) = (1, 2) gram.
  const auto target = fit_target(moments({2, 1, 1, 2}, {4, 5}), std::vector<float>{0, 0}, 1e-9, 1);
  EXPECT_NEAR(target[0], 1.0F, 1e-5F);
  EXPECT_NEAR(target[1], 2.0F, 1e-5F);
}

TEST(FitTarget, KeepsTheWeightsWhereInputsAreUnchanged) {
  // cross = W gram: x^ = x, so W is the answer whatever the ridge.
  const auto target =
      fit_target(moments({2, 1, 1, 2}, {0.5F, -0.5F}), std::vector<float>{0.5F, -0.5F}, 0.3, 1);
  EXPECT_NEAR(target[0], 0.5F, 1e-6F);
  EXPECT_NEAR(target[1], -0.5F, 1e-6F);
}

TEST(FitTarget, DirectionsWithoutDataStayAsTheyWere) {
  // The second input is never seen; the first asks for 3 instead of 1.
  const auto target =
      fit_target(moments({4, 0, 0, 0}, {12, 0}), std::vector<float>{1.0F, 7.0F}, 1e-6, 1);
  EXPECT_NEAR(target[0], 3.0F, 1e-4F);
  EXPECT_NEAR(target[1], 7.0F, 1e-4F);
}

TEST(FitTarget, ConstantInputsLeaveTheWeightsAlone) {
  const std::vector<float> weights = {0.25F, -1.0F};
  EXPECT_EQ(fit_target(moments({0, 0, 0, 0}, {0, 0}), weights, 0.01, 1), weights);
}

}  // namespace
}  // namespace hexquant::weights
