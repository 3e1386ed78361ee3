#include "weights/refine_clamped.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/cpu_features.h"
#include "weights/clamp_kernels.h"
#include "weights/rounding_problems.h"

namespace hexquant::weights {
namespace {

using testing::spec;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Clamp kRelu{0.0F, kInfinity};
constexpr std::int64_t kCount = quant::LayerSamples::kMultiple;
/// The last quarter of the positions is held out.
constexpr std::int64_t kHeldOut = kCount / 4;

/// Samples of a layer and a rounding of it to start from.
struct Layer {
  GridSpec grid;
  std::int64_t groups = 1;
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  std::int64_t count = 0;
  std::vector<float> inputs;   // [groups, count, columns]
  std::vector<float> targets;  // [groups, count, rows]
  RoundedLayer rounded;
  std::vector<float> bias;

  /// In the layout of the contract; `side_by_side`: column j of all groups, then column j + 1.
  [[nodiscard]] quant::LayerSamples samples(bool side_by_side) const {
    quant::LayerSamples samples;
    samples.count = count;
    samples.group_stride = side_by_side ? 1 : columns;
    samples.column_stride = side_by_side ? groups : 1;
    samples.inputs.resize(inputs.size());
    samples.targets.resize(targets.size());
    for (std::int64_t g = 0; g < groups; ++g) {
      for (std::int64_t p = 0; p < count; ++p) {
        for (std::int64_t c = 0; c < columns; ++c) {
          const std::int64_t number = g * samples.group_stride + c * samples.column_stride;
          samples.inputs[static_cast<std::size_t>(number * count + p)] =
              inputs[static_cast<std::size_t>((g * count + p) * columns + c)];
        }
        for (std::int64_t r = 0; r < rows; ++r) {
          samples.targets[static_cast<std::size_t>((g * rows + r) * count + p)] =
              targets[static_cast<std::size_t>((g * count + p) * rows + r)];
        }
      }
    }
    return samples;
  }

  ClampedError refine(Clamp clamp, bool moves_bias = true, int threads = 1,
                      bool side_by_side = false) {
    return refine_clamped(samples(side_by_side), clamp, grid, groups, rows, columns, rounded, bias,
                          moves_bias, threads);
  }
};

/// One weight of scale 1 and bias 0 that starts at `code`; the pattern of samples repeats.
Layer one_weight(std::int32_t code, const std::vector<float>& inputs,
                 const std::vector<float>& targets) {
  Layer layer;
  layer.grid.type = DType::kInt4;
  layer.count = kCount;
  for (std::size_t p = 0; p < static_cast<std::size_t>(kCount); ++p) {
    layer.inputs.push_back(inputs[p % inputs.size()]);
    layer.targets.push_back(targets[p % targets.size()]);
  }
  layer.rounded.scale = {1.0F};
  layer.rounded.zero_point = {0};
  layer.rounded.codes = {code};
  layer.bias = {0.0F};
  return layer;
}

/// Squared error behind the clamp of one output over all samples, or those held out or fitted, by
/// plain sums in double.
enum class Part { kAll, kFitted, kHeldOut };
double slow_error(const Layer& layer, Clamp clamp, std::int64_t group, std::int64_t row,
                  Part part = Part::kAll) {
  LayerProblem sizes;
  sizes.columns = layer.columns;
  const auto clamped = [&](double value) {
    return std::min(std::max(value, double{clamp.low}), double{clamp.high});
  };
  const std::int64_t output = group * layer.rows + row;
  double error = 0.0;
  for (std::int64_t p = 0; p < layer.count; ++p) {
    const bool held_out = p >= layer.count / 4 * 3;
    if (part != Part::kAll && held_out != (part == Part::kHeldOut)) continue;
    double y = layer.bias[static_cast<std::size_t>(output)];
    for (std::int64_t c = 0; c < layer.columns; ++c) {
      const std::size_t s = testing::scale_index(sizes, layer.grid, output, c);
      const auto at = static_cast<std::size_t>(output * layer.columns + c);
      const auto x = static_cast<std::size_t>((group * layer.count + p) * layer.columns + c);
      y += static_cast<double>(layer.rounded.codes[at] - layer.rounded.zero_point[s]) *
           layer.rounded.scale[s] * layer.inputs[x];
    }
    const auto t = static_cast<std::size_t>((group * layer.count + p) * layer.rows + row);
    const double difference = clamped(layer.targets[t]) - clamped(y);
    error += difference * difference;
  }
  return error;
}

double slow_power(const Layer& layer, Clamp clamp) {
  double power = 0.0;
  for (const float target : layer.targets) {
    const double goal = std::min(std::max(target, clamp.low), clamp.high);
    power += goal * goal;
  }
  return power;
}

TEST(RefineClamped, OneWeightByHand) {
  // y = x where 2 x is wanted: a quarter of the power is missing.
  const std::vector<float> inputs = {1, 2, -1, 3, 1, -2, 2, 1};
  std::vector<float> targets;
  for (const float x : inputs) targets.push_back(2.0F * x);
  Layer layer = one_weight(1, inputs, targets);
  const ClampedError error = layer.refine(kRelu);
  EXPECT_DOUBLE_EQ(error.before, 0.25);
  EXPECT_EQ(error.after, 0.0);
  EXPECT_EQ(error.rows_changed, 1);
  EXPECT_EQ(layer.rounded.codes, (std::vector<std::int32_t>{2}));
  EXPECT_EQ(layer.bias, (std::vector<float>{0.0F}));
}

TEST(RefineClamped, MovesTheBiasOnlyWhenAllowed) {
  const std::vector<float> inputs = {1, 2, 3, 2, 1, 2, 3, 2};
  std::vector<float> targets;
  for (const float x : inputs) targets.push_back(x + 0.5F);
  Layer moving = one_weight(1, inputs, targets);
  EXPECT_EQ(moving.refine(kRelu, true).after, 0.0);
  EXPECT_EQ(moving.bias, (std::vector<float>{0.5F}));
  EXPECT_EQ(moving.rounded.codes, (std::vector<std::int32_t>{1}));

  Layer fixed = one_weight(1, inputs, targets);
  const ClampedError error = fixed.refine(kRelu, false);
  EXPECT_EQ(error.after, error.before);
  EXPECT_GT(error.before, 0.0);
  EXPECT_EQ(error.rows_changed, 0);
  EXPECT_EQ(fixed.bias, (std::vector<float>{0.0F}));
}

/// The code from -8 to 7 with the least error behind the clamp, over all samples.
std::int32_t best_code(Layer layer, Clamp clamp) {
  std::int32_t best = -8;
  double least = std::numeric_limits<double>::infinity();
  for (std::int32_t code = -8; code <= 7; ++code) {
    layer.rounded.codes[0] = code;
    const double error = slow_error(layer, clamp, 0, 0);
    if (error < least) best = code;
    least = std::min(least, error);
  }
  return best;
}

TEST(RefineClamped, WhatReluHidesCostsNothing) {
  // Visible positions want 2; the hidden ones, where x^ went wrong, would pull the weight to 4.
  Layer layer = one_weight(4, {1, -1, -1, 1, 1, -1, 1, -1}, {2, -6, -6, 2, 2, -6, 2, -6});
  constexpr Clamp kOpen{-kInfinity, kInfinity};
  ASSERT_EQ(best_code(layer, kOpen), 4);
  ASSERT_EQ(best_code(layer, kRelu), 2);
  Layer open = layer;
  EXPECT_EQ(open.refine(kOpen, false).rows_changed, 0);
  EXPECT_EQ(layer.refine(kRelu, false).after, 0.0);
  EXPECT_EQ(layer.rounded.codes[0], 2);
}

TEST(RefineClamped, WhatClipHidesAboveCostsNothing) {
  Layer layer = one_weight(4, {1, 8, 1, 1, 8, 1, 8, 8}, {2, 30, 2, 2, 30, 2, 30, 30});
  constexpr Clamp kRelu6{0.0F, 6.0F};
  ASSERT_EQ(best_code(layer, kRelu), 4);
  ASSERT_EQ(best_code(layer, kRelu6), 2);
  Layer unlimited = layer;
  EXPECT_EQ(unlimited.refine(kRelu, false).rows_changed, 0);
  EXPECT_EQ(layer.refine(kRelu6, false).after, 0.0);
  EXPECT_EQ(layer.rounded.codes[0], 2);
}

TEST(RefineClamped, NothingChangesWhenTheHeldOutPositionsDisagree) {
  // Those held out are content with code 1, all others want 2.
  Layer layer = one_weight(1, {1}, {2});
  std::fill(layer.targets.end() - kHeldOut, layer.targets.end(), 1.0F);
  const ClampedError error = layer.refine(kRelu);
  EXPECT_EQ(error.rows_changed, 0);
  EXPECT_EQ(error.after, error.before);
  EXPECT_DOUBLE_EQ(error.before, 48.0 / (4.0 * 48.0 + 16.0));
  EXPECT_EQ(layer.rounded.codes[0], 1);
  EXPECT_EQ(layer.bias[0], 0.0F);
}

TEST(RefineClamped, NoSamplesChangeNothing) {
  Layer layer = one_weight(1, {1}, {2});
  layer.count = 0;
  layer.inputs.clear();
  layer.targets.clear();
  EXPECT_EQ(layer.refine(kRelu).rows_changed, 0);
  EXPECT_EQ(layer.rounded.codes[0], 1);
}

TEST(RefineClamped, CodesStayOnTheirGrid) {
  const auto end = [](std::int32_t code, float wanted, bool strict, float range_factor) {
    Layer layer = one_weight(code, {1.0F}, {wanted});
    layer.grid.strict = strict;
    layer.grid.range_factor = range_factor;
    (void)layer.refine({-kInfinity, kInfinity}, false);
    return layer.rounded.codes[0];
  };
  EXPECT_EQ(end(5, 30.0F, false, 1.0F), 7);
  EXPECT_EQ(end(-6, -30.0F, false, 1.0F), -8);
  EXPECT_EQ(end(-6, -30.0F, true, 1.0F), -7);
  EXPECT_EQ(end(5, 30.0F, false, 7.0F / 6.0F), 6) << "the highest code stays unused";
}

std::vector<GridSpec> many_specs() {
  GridSpec asymmetric = spec(DType::kUInt8, Granularity::kTensor);
  asymmetric.symmetric = false;
  return {spec(DType::kInt4, Granularity::kChannel), spec(DType::kInt4, Granularity::kTensor),
          spec(DType::kInt4, Granularity::kGroup, 5), spec(DType::kInt8, Granularity::kChannel),
          asymmetric};
}

/// Correlated inputs, targets of the float weights, nearest rounding of them.
Layer random_layer(const GridSpec& grid, std::int64_t groups, std::int64_t rows,
                   std::int64_t columns, std::int64_t count, unsigned seed) {
  const LayerProblem problem = testing::random_problem(groups, rows, columns, seed);
  RoundingOptions nearest;
  nearest.clip_search = nearest.gptq = nearest.coordinate_descent = nearest.rescale = false;
  Layer layer;
  layer.grid = grid;
  layer.groups = groups;
  layer.rows = rows;
  layer.columns = columns;
  layer.rounded = round_layer(problem, grid, nearest);
  layer.bias.assign(static_cast<std::size_t>(groups * rows), 0.1F);
  layer.count = count;
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::int64_t p = 0; p < count; ++p) {
      const float common = normal(random);
      std::vector<float> x;
      for (std::int64_t c = 0; c < columns; ++c) x.push_back(common + 0.3F * normal(random));
      layer.inputs.insert(layer.inputs.end(), x.begin(), x.end());
      for (std::int64_t r = 0; r < rows; ++r) {
        float target = 0.1F;
        for (std::int64_t c = 0; c < columns; ++c) {
          target += problem.weights[static_cast<std::size_t>((g * rows + r) * columns + c)] *
                    x[static_cast<std::size_t>(c)];
        }
        layer.targets.push_back(target);
      }
    }
  }
  return layer;
}

/// Float outputs that were moved step by step, against doubles.
constexpr double kFloatOutputs = 1e-4;

TEST(RefineClamped, EveryRowGetsBetterWhereItIsFittedAndHeldOut) {
  for (const GridSpec& grid : many_specs()) {
    SCOPED_TRACE(static_cast<int>(grid.type) * 10 + static_cast<int>(grid.granularity));
    const Layer before = random_layer(grid, 2, 11, 12, 3 * kCount, 3);
    Layer after = before;
    const ClampedError error = after.refine(kRelu);
    double sum_before = 0.0;
    double sum_after = 0.0;
    std::int64_t changed = 0;
    for (std::int64_t g = 0; g < 2; ++g) {
      for (std::int64_t r = 0; r < 11; ++r) {
        sum_before += slow_error(before, kRelu, g, r);
        sum_after += slow_error(after, kRelu, g, r);
        const auto row = static_cast<std::ptrdiff_t>(g * 11 + r);
        const auto begin = before.rounded.codes.begin() + row * 12;
        const bool same =
            std::equal(begin, begin + 12, after.rounded.codes.begin() + row * 12) &&
            before.bias[static_cast<std::size_t>(row)] == after.bias[static_cast<std::size_t>(row)];
        changed += same ? 0 : 1;
        for (const Part part : {Part::kFitted, Part::kHeldOut}) {
          EXPECT_LE(slow_error(after, kRelu, g, r, part),
                    slow_error(before, kRelu, g, r, part) * (1.0 + kFloatOutputs))
              << "group " << g << " row " << r;
        }
      }
    }
    EXPECT_EQ(error.rows_changed, changed);
    EXPECT_GT(changed, 8);
    const double power = slow_power(before, kRelu);
    EXPECT_NEAR(error.before, sum_before / power, kFloatOutputs * error.before);
    EXPECT_NEAR(error.after, sum_after / power, kFloatOutputs * error.before);
    EXPECT_LT(error.after, 0.7 * error.before) << "nearest rounding leaves that much to gain";
    EXPECT_EQ(before.rounded.scale, after.rounded.scale) << "only codes and the bias move";
  }
}

TEST(RefineClamped, ComesCloseToBruteForce) {
  // 3 weights of 4 bits: all 4096 combinations.
  double start = 0.0;
  double refined = 0.0;
  double optimum = 0.0;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Layer layer =
        random_layer(spec(DType::kInt4, Granularity::kChannel), 1, 1, 3, kCount, 100 + seed);
    // Hidden positions whose x^ went wrong: what they ask for must not count.
    for (std::size_t p = 0; p < 64; p += 3) {
      layer.targets[p] = -5.0F;
      for (std::size_t c = 0; c < 3; ++c) layer.inputs[p * 3 + c] -= 2.0F;
    }
    Layer trial = layer;
    double least = std::numeric_limits<double>::infinity();
    for (std::int32_t code = 0; code < 4096; ++code) {
      trial.rounded.codes = {code % 16 - 8, code / 16 % 16 - 8, code / 256 - 8};
      least = std::min(least, slow_error(trial, kRelu, 0, 0));
    }
    const double power = slow_power(layer, kRelu);
    start += slow_error(layer, kRelu, 0, 0) / power;
    (void)layer.refine(kRelu, false);
    const double reached = slow_error(layer, kRelu, 0, 0);
    EXPECT_GE(reached, least * (1.0 - 1e-9)) << seed;
    refined += reached / power;
    optimum += least / power;
  }
  // Single steps from nearest rounding end in a local minimum, and a quarter of the data has a
  // veto.
  EXPECT_LT(refined - optimum, 0.6 * (start - optimum));
}

TEST(RefineClamped, BothOrdersOfColumnsGiveTheSame) {
  Layer one = random_layer(spec(DType::kInt4, Granularity::kChannel), 9, 1, 9, kCount, 6);
  Layer other = one;
  EXPECT_GT(one.refine(kRelu).rows_changed, 0);
  (void)other.refine(kRelu, true, 1, true);
  EXPECT_EQ(other.rounded.codes, one.rounded.codes);
  EXPECT_EQ(other.bias, one.bias);
}

TEST(RefineClamped, SameBytesForAnyNumberOfThreads) {
  struct Sizes {
    std::int64_t groups, rows, columns;
  };
  for (const Sizes& sizes : {Sizes{1, 41, 20}, Sizes{9, 1, 9}, Sizes{3, 10, 7}}) {
    Layer one = random_layer(spec(DType::kInt4, Granularity::kChannel), sizes.groups, sizes.rows,
                             sizes.columns, 2 * kCount, 5);
    const Layer start = one;
    const ClampedError expected = one.refine(kRelu, true, 1);
    EXPECT_GT(expected.rows_changed, 0);
    for (const int threads : {2, 5}) {
      Layer many = start;
      const ClampedError error = many.refine(kRelu, true, threads);
      EXPECT_EQ(many.rounded.codes, one.rounded.codes);
      EXPECT_EQ(many.bias, one.bias);
      EXPECT_EQ(error.before, expected.before);
      EXPECT_EQ(error.after, expected.after);
    }
  }
}

/// One row for the kernels.
struct KernelData {
  explicit KernelData(std::int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0F, 3.0F);
    for (auto* values : {&output, &goal, &input}) {
      for (std::int64_t i = 0; i < count; ++i) values->push_back(normal(random));
    }
  }
  [[nodiscard]] ClampedRow row(Clamp clamp) const {
    return {output.data(), goal.data(), static_cast<std::int64_t>(output.size()), clamp.low,
            clamp.high};
  }
  std::vector<float> output, goal, input;
};

const std::vector<Clamp> kClamps = {
    kRelu, {0.0F, 6.0F}, {-kInfinity, kInfinity}, {-kInfinity, 1.0F}, {-1.0F, 1.0F}};

TEST(ClampKernels, VariantsAgreeBitForBit) {
  std::vector<const ClampKernels*> variants;
  if (cpu_has_avx2()) variants.push_back(&avx2_clamp_kernels());
  if (cpu_has_avx512()) variants.push_back(&avx512_clamp_kernels());
  for (const std::int64_t count : {16, 48, 1024, 1040, 2544}) {
    for (const Clamp& clamp : kClamps) {
      const KernelData data(count, 7);
      double expected[2];
      scalar_clamp_kernels().step_losses(data.row(clamp), data.input.data(), 0.3F, expected);
      std::vector<float> moved = data.output;
      scalar_clamp_kernels().add_scaled(moved.data(), data.input.data(), -0.7F, count);
      for (const ClampKernels* kernels : variants) {
        double losses[2];
        kernels->step_losses(data.row(clamp), data.input.data(), 0.3F, losses);
        EXPECT_EQ(losses[0], expected[0]) << kernels->name << " " << count;
        EXPECT_EQ(losses[1], expected[1]) << kernels->name << " " << count;
        std::vector<float> output = data.output;
        kernels->add_scaled(output.data(), data.input.data(), -0.7F, count);
        EXPECT_EQ(output, moved) << kernels->name << " " << count;
      }
    }
  }
}

TEST(ClampKernels, LossesEqualTheDoubleReference) {
  // Squares of float differences, 64 of them summed in float.
  constexpr double kFloatSquares = 1e-5;
  for (const std::int64_t count : {16, 1040, 2544}) {
    for (const Clamp& clamp : kClamps) {
      const KernelData data(count, 11);
      double losses[2];
      best_clamp_kernels().step_losses(data.row(clamp), data.input.data(), 0.3F, losses);
      double expected[2] = {};
      for (std::size_t p = 0; p < data.output.size(); ++p) {
        for (const int up : {0, 1}) {
          const double y = data.output[p] + (up != 0 ? 1.0 : -1.0) * double{0.3F} * data.input[p];
          const double difference =
              data.goal[p] - std::min(std::max(y, double{clamp.low}), double{clamp.high});
          expected[up] += difference * difference;
        }
      }
      for (const int up : {0, 1}) {
        EXPECT_TRUE(std::abs(losses[up] - expected[up]) <= kFloatSquares * expected[up])
            << losses[up] << " vs " << expected[up];
      }
    }
  }
}

}  // namespace
}  // namespace hexquant::weights
