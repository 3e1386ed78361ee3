#include "weights/scale_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace hexquant::weights {
namespace {

constexpr double kWide = 13.8;

ScaleProblem empty_problem(std::size_t channels) {
  ScaleProblem problem;
  problem.low.assign(channels, -kWide);
  problem.high.assign(channels, kWide);
  return problem;
}

ScaleProblem::Consumer one_row(std::vector<double> range, std::vector<double> energy) {
  ScaleProblem::Consumer consumer;
  consumer.energy = std::move(energy);
  consumer.rows.push_back({0, std::move(range), 1.0});
  return consumer;
}

TEST(ScaleSearch, NoiseByHand) {
  ScaleProblem problem = empty_problem(2);
  problem.producers.push_back({false, 127.0, {1.0, 2.0}, {3.0, 5.0}});
  problem.activations.push_back({255.0, {0.0, 1.0}, {4.0, 2.0}, {1.0, 2.0}});
  problem.consumers.push_back(one_row({6.0, 1.0}, {2.0, 7.0}));
  const double weight = 127.0 * 127.0;
  EXPECT_NEAR(total_noise(problem, {0.0, 0.0}),
              4.0 * 8.0 / weight + 25.0 * 3.0 / (255.0 * 255.0) + 36.0 * 9.0 / weight, 1e-12);
  // s = (1, 2): ranges (1, 1); activations high (4, 1), low (0, 0.5); consumer (6, 2).
  EXPECT_NEAR(total_noise(problem, {0.0, std::log(2.0)}),
              1.0 * 23.0 / weight + 20.25 * 9.0 / (255.0 * 255.0) + 36.0 * 3.75 / weight, 1e-12);
}

TEST(ScaleSearch, OppositeRangesMeetInTheMiddle) {
  // Channel 0: weights 1 before and 100 behind; channel 1 the other way round. The balance makes
  // all of them 10. Energies scale with the weights, as they do when activations do.
  ScaleProblem problem = empty_problem(2);
  problem.producers.push_back({false, 127.0, {1.0, 100.0}, {1e4, 1.0}});
  problem.consumers.push_back(one_row({100.0, 1.0}, {1.0, 1e4}));
  const ScaleSolution solution = search_scales(problem);
  EXPECT_NEAR(std::exp(solution.log_scale[1] - solution.log_scale[0]), 100.0, 5.0);
  // At u = 0 both steps are 100 / 127; at the balance all is symmetric: noise falls by 100 * 100 /
  // (10 * 10) for each layer, and its energies by 10^4 + 1 against 100 + 100.
  EXPECT_LT(solution.noise, solution.noise_before / 4000.0);
}

TEST(ScaleSearch, NearDeadChannelDoesNotWidenTheActivations) {
  // Channel 0 is the constant 3 of a bias: weights of 1e-7. The classic rule would divide by
  // sqrt(1e-7 * 1) and make it 1e4.
  ScaleProblem problem = empty_problem(3);
  problem.producers.push_back({false, 127.0, {1e-7, 1.0, 0.5}, {1.0, 1.0, 1.0}});
  problem.activations.push_back({255.0, {0.0, 0.0, 0.0}, {3.0, 4.0, 2.0}, {1.0, 1.0, 1.0}});
  problem.consumers.push_back(one_row({1.0, 1.0, 2.0}, {9.0, 2.0, 1.0}));
  const ScaleSolution solution = search_scales(problem);
  EXPECT_LE(solution.noise, solution.noise_before);
  double range = 0.0;
  for (std::size_t c = 0; c < 3; ++c) {
    range = std::max(range, problem.activations[0].high[c] / std::exp(solution.log_scale[c]));
  }
  const double common = std::exp(-solution.log_scale[1]);
  EXPECT_LT(range / common, 1.2 * 4.0);
}

ScaleProblem random_problem(unsigned seed) {
  std::mt19937 random(seed);
  std::lognormal_distribution<double> spread(0.0, 2.0);
  const std::size_t channels = 3 + seed % 12;
  const auto draw = [&] {
    std::vector<double> values(channels);
    for (double& value : values) value = spread(random);
    return values;
  };
  ScaleProblem problem = empty_problem(channels);
  problem.producers.push_back({seed % 3 == 0, 127.0, draw(), draw()});
  problem.activations.push_back({255.0, draw(), draw(), draw()});
  ScaleProblem::Consumer consumer;
  consumer.energy = draw();
  for (int row = 0; row < 4; ++row) consumer.rows.push_back({0, draw(), spread(random)});
  problem.consumers.push_back(std::move(consumer));
  for (std::size_t c = 0; c < channels; c += 4) problem.low[c] = problem.high[c] = 0.0;
  return problem;
}

TEST(ScaleSearch, NeverWorseAndWithinLimits) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const ScaleProblem problem = random_problem(seed);
    const ScaleSolution solution = search_scales(problem);
    EXPECT_LE(solution.noise, solution.noise_before) << seed;
    EXPECT_DOUBLE_EQ(solution.noise, total_noise(problem, solution.log_scale));
    for (std::size_t c = 0; c < problem.channels(); ++c) {
      EXPECT_GE(solution.log_scale[c], problem.low[c]);
      EXPECT_LE(solution.log_scale[c], problem.high[c]);
    }
  }
}

/// A random walk that accepts every improvement: slow, and blind to the gradient.
double slow_minimum(const ScaleProblem& problem, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> u(problem.channels(), 0.0);
  double best = total_noise(problem, u);
  double length = 1.0;
  for (int step = 0; step < 60000; ++step) {
    std::vector<double> next = u;
    for (std::size_t c = 0; c < u.size(); ++c) {
      next[c] = std::clamp(u[c] + length * normal(random), problem.low[c], problem.high[c]);
    }
    const double noise = total_noise(problem, next);
    length *= noise < best ? 1.2 : 0.995;
    length = std::max(length, 1e-4);
    if (noise < best) {
      best = noise;
      u = next;
    }
  }
  return best;
}

TEST(ScaleSearch, FindsTheMinimumOfASlowSearch) {
  // The search stops within 1 % of a scale; noise goes with its square, in every term.
  constexpr double kTolerance = 1.06;
  for (const unsigned seed : {1U, 2U, 3U, 4U}) {
    const ScaleProblem problem = random_problem(seed);
    EXPECT_LT(search_scales(problem).noise, kTolerance * slow_minimum(problem, seed)) << seed;
  }
}

TEST(ScaleSearch, FixedChannelsAndNoNoiseStay) {
  ScaleProblem problem = empty_problem(2);
  EXPECT_EQ(search_scales(problem).log_scale, (std::vector<double>{0.0, 0.0}));
  problem.low = problem.high = {0.0, 0.0};
  problem.producers.push_back({false, 127.0, {1.0, 100.0}, {1.0, 1.0}});
  EXPECT_EQ(search_scales(problem).log_scale, (std::vector<double>{0.0, 0.0}));
}

}  // namespace
}  // namespace hexquant::weights
