#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "weights/round_layer.h"

/// Random layers and slow references for the tests of rounding.
namespace hexquant::weights::testing {

inline GridSpec spec(DType type, Granularity granularity, std::int64_t block_size = 0) {
  GridSpec grid;
  grid.type = type;
  grid.granularity = granularity;
  grid.block_size = block_size;
  return grid;
}

/// H = X^T X / samples of inputs that share a common part, with column strengths from 0.3 to 2.
inline std::vector<float> correlated_gram(std::int64_t columns, std::int64_t samples,
                                          std::mt19937& random) {
  std::normal_distribution<double> normal;
  std::vector<double> sums(static_cast<std::size_t>(columns * columns));
  std::vector<double> x(static_cast<std::size_t>(columns));
  for (std::int64_t s = 0; s < samples; ++s) {
    const double common = normal(random);
    double previous = normal(random);
    for (std::int64_t j = 0; j < columns; ++j) {
      previous = 0.8 * previous + 0.6 * normal(random);
      const double strength = 0.3 + static_cast<double>(j * 7919 % 100) / 60.0;
      x[static_cast<std::size_t>(j)] = strength * (previous + 0.7 * common);
    }
    for (std::int64_t i = 0; i < columns; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        sums[static_cast<std::size_t>(i * columns + j)] +=
            x[static_cast<std::size_t>(i)] * x[static_cast<std::size_t>(j)];
      }
    }
  }
  std::vector<float> gram(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    gram[i] = static_cast<float>(sums[i] / static_cast<double>(samples));
  }
  return gram;
}

/// Normal weights with some outliers; the target differs a little from them.
inline LayerProblem random_problem(std::int64_t groups, std::int64_t rows, std::int64_t columns,
                                   unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  LayerProblem problem;
  problem.groups = groups;
  problem.rows = rows;
  problem.columns = columns;
  problem.weights.resize(static_cast<std::size_t>(groups * rows * columns));
  for (float& weight : problem.weights) {
    weight = normal(random);
    if (random() % 50 == 0) weight *= 3.0F;
  }
  problem.target = problem.weights;
  for (float& value : problem.target) value += 0.02F * normal(random);
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::vector<float> gram = correlated_gram(columns, 2 * columns + 8, random);
    problem.gram.insert(problem.gram.end(), gram.begin(), gram.end());
  }
  return problem;
}

/// Index of the scale of an element, spelled out from the contract.
inline std::size_t scale_index(const LayerProblem& problem, const GridSpec& grid, std::int64_t row,
                               std::int64_t column) {
  if (grid.granularity == Granularity::kTensor) return 0;
  if (grid.granularity == Granularity::kChannel) return static_cast<std::size_t>(row);
  const std::int64_t blocks = (problem.columns + grid.block_size - 1) / grid.block_size;
  return static_cast<std::size_t>(row * blocks + column / grid.block_size);
}

/// Dequantized weights of a result.
inline std::vector<float> values_of(const LayerProblem& problem, const GridSpec& grid,
                                    const RoundedLayer& layer) {
  std::vector<float> values(layer.codes.size());
  for (std::size_t at = 0; at < values.size(); ++at) {
    const auto element = static_cast<std::int64_t>(at);
    const std::size_t s =
        scale_index(problem, grid, element / problem.columns, element % problem.columns);
    values[at] = static_cast<float>(layer.codes[at] - layer.zero_point[s]) * layer.scale[s];
  }
  return values;
}

/// The error of the contract, by plain sums in double, with `lambda` added to the diagonal.
inline double slow_error(const LayerProblem& problem, const std::vector<float>& values,
                         double damping = 0.0) {
  const std::int64_t n = problem.columns;
  double total = 0.0;
  for (std::int64_t row = 0; row < problem.groups * problem.rows; ++row) {
    const float* gram = problem.gram.data() + row / problem.rows * n * n;
    double trace = 0.0;
    for (std::int64_t j = 0; j < n; ++j) trace += gram[j * n + j];
    const double lambda = damping * trace / static_cast<double>(n);
    const auto difference = [&](std::int64_t j) {
      const auto at = static_cast<std::size_t>(row * n + j);
      return static_cast<double>(values[at]) - problem.target[at];
    };
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        const double weight = gram[i * n + j] + (i == j ? lambda : 0.0);
        total += difference(i) * weight * difference(j);
      }
    }
  }
  return total;
}

}  // namespace hexquant::weights::testing
