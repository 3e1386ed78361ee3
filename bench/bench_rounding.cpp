// What rounding a layer costs, and how much less error it leaves than min-max nearest rounding.
//
//   bench_rounding [THREADS=2] [CSV]
//
// The layers have the sizes of common networks, normal weights and correlated inputs. Nothing is
// timed before the result is checked: its error, summed again in plain doubles, must be the
// reported one, and must fall from step to step.
//
// The bound is the time for the products that the method cannot do without, at the rate of ssyrk
// measured in the same run on one thread: one triangular product for each of kClipTrials and
// kGptqTrials scales, T H' and the first gradient, the factorization, and the errors of four
// stages in double at half the rate. Sweeps of descent, and all that is not a product, come on
// top. Times are CPU seconds of the whole process, so that other work disturbs less; wall time is
// shown beside them.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "least_cost.h"
#include "linalg/gram.h"
#include "weights/round_layer.h"

namespace hexquant {
namespace {

using weights::GridSpec;
using weights::LayerProblem;
using weights::RoundedLayer;
using weights::RoundingOptions;

/// Trials at 4 bits when no row asks for more: the coarse factors and the refinements.
constexpr double kClipTrials = 9.0;
constexpr double kGptqTrials = 8.0;

struct Case {
  std::string name;
  std::int64_t groups;
  std::int64_t rows;
  std::int64_t columns;
  DType type;
  Granularity granularity;
  std::int64_t block_size;
  int block_scale_bits;
};

std::vector<Case> cases() {
  using enum Granularity;
  return {
      {"conv 3x3, 128 -> 320", 1, 320, 1152, DType::kInt4, kChannel, 0, 0},
      {"conv 3x3, 128 -> 320", 1, 320, 1152, DType::kInt8, kChannel, 0, 0},
      {"conv 3x3, 128 -> 320", 1, 320, 1152, DType::kInt4, kTensor, 0, 0},
      {"conv 3x3, 512 -> 512", 1, 512, 4608, DType::kInt4, kChannel, 0, 0},
      {"conv 1x1, 320 -> 1280", 1, 1280, 320, DType::kInt4, kChannel, 0, 0},
      {"MatMul 384 -> 1536", 1, 1536, 384, DType::kInt4, kGroup, 32, 0},
      {"MatMul 1536 -> 384", 1, 384, 1536, DType::kInt4, kGroup, 32, 4},
      {"depthwise 5x5, 1152", 1152, 1, 25, DType::kInt4, kChannel, 0, 0},
      {"depthwise 3x3, 1152", 1152, 1, 9, DType::kInt8, kChannel, 0, 0},
  };
}

/// Inputs after a ReLU that share common factors, of columns with different strengths.
std::vector<float> inputs(std::int64_t samples, std::int64_t columns, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(samples * columns));
  for (std::int64_t s = 0; s < samples; ++s) {
    const float common = normal(random);
    float previous = normal(random);
    for (std::int64_t j = 0; j < columns; ++j) {
      previous = 0.8F * previous + 0.6F * normal(random);
      const float strength = 0.3F + static_cast<float>(j * 7919 % 100) / 50.0F;
      x[static_cast<std::size_t>(s * columns + j)] =
          strength * std::max(0.0F, previous + 0.7F * common);
    }
  }
  for (std::int64_t j = 0; j < columns; ++j) {
    double mean = 0.0;
    for (std::int64_t s = 0; s < samples; ++s) mean += x[static_cast<std::size_t>(s * columns + j)];
    mean /= static_cast<double>(samples);
    for (std::int64_t s = 0; s < samples; ++s) {
      x[static_cast<std::size_t>(s * columns + j)] -= static_cast<float>(mean);
    }
  }
  return x;
}

LayerProblem make_problem(const Case& layer) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  LayerProblem problem;
  problem.groups = layer.groups;
  problem.rows = layer.rows;
  problem.columns = layer.columns;
  const std::int64_t n = layer.columns;
  problem.weights.resize(static_cast<std::size_t>(layer.groups * layer.rows * n));
  for (float& weight : problem.weights) weight = normal(random);
  problem.target = problem.weights;
  problem.gram.resize(static_cast<std::size_t>(layer.groups * n * n));
  const std::int64_t samples = n + n / 2 + 64;
  for (std::int64_t g = 0; g < layer.groups; ++g) {
    float* gram = problem.gram.data() + g * n * n;
    linalg::add_gram(inputs(samples, n, random).data(), samples, n, gram);
    linalg::mirror_upper(gram, n);
    for (std::int64_t i = 0; i < n * n; ++i) gram[i] /= static_cast<float>(samples);
  }
  return problem;
}

GridSpec make_grid(const Case& layer) {
  GridSpec grid;
  grid.type = layer.type;
  grid.granularity = layer.granularity;
  grid.block_size = layer.block_size;
  grid.block_scale_bits = layer.block_scale_bits;
  return grid;
}

double slow_error(const LayerProblem& problem, const GridSpec& grid, const RoundedLayer& layer) {
  const std::int64_t n = problem.columns;
  const std::int64_t width = grid.granularity == Granularity::kGroup ? grid.block_size : n;
  const std::int64_t blocks = (n + width - 1) / width;
  std::vector<double> difference(static_cast<std::size_t>(n));
  double total = 0.0;
  for (std::int64_t row = 0; row < problem.groups * problem.rows; ++row) {
    for (std::int64_t j = 0; j < n; ++j) {
      const bool shared = grid.granularity == Granularity::kTensor;
      const auto s = static_cast<std::size_t>(shared ? 0 : row * blocks + j / width);
      const auto at = static_cast<std::size_t>(row * n + j);
      const float value =
          static_cast<float>(layer.codes[at] - layer.zero_point[s]) * layer.scale[s];
      difference[static_cast<std::size_t>(j)] = static_cast<double>(value) - problem.target[at];
    }
    const float* gram = problem.gram.data() + row / problem.rows * n * n;
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = 0.0;
      for (std::int64_t j = 0; j < n; ++j)
        sum += gram[i * n + j] * difference[static_cast<std::size_t>(j)];
      total += sum * difference[static_cast<std::size_t>(i)];
    }
  }
  return total;
}

void check_result(const Case& layer, const LayerProblem& problem, const GridSpec& grid,
                  const RoundedLayer& rounded) {
  // Sums of doubles in another order, over differences of floats.
  constexpr double kErrorAccuracy = 1e-6;
  const double expected = slow_error(problem, grid, rounded);
  const bool right = std::abs(rounded.error - expected) <= kErrorAccuracy * expected;
  const bool falling = rounded.error < rounded.error_gptq &&
                       rounded.error_gptq < rounded.error_clip &&
                       rounded.error_clip < rounded.error_min_max;
  if (right && falling) return;
  throw Error(ErrorCode::kInternal,
              format("{}: errors {} > {} > {} > {} (again: {})", layer.name, rounded.error_min_max,
                     rounded.error_clip, rounded.error_gptq, rounded.error, expected));
}

/// Floating-point operations a second of a product of this size.
double product_rate(std::int64_t rows, std::int64_t columns) {
  std::vector<float> a(static_cast<std::size_t>(rows * columns), 0.5F);
  std::vector<float> gram(static_cast<std::size_t>(columns * columns));
  const double flops = static_cast<double>(rows * columns) * static_cast<double>(columns);
  const int repetitions = flops < 1e9 ? 20 : 3;
  const LeastCost cost =
      measure(repetitions, [&] { linalg::add_gram(a.data(), rows, columns, gram.data()); });
  return flops / cost.cpu_seconds;
}

double bound_seconds(const Case& layer, double rate) {
  const auto n = static_cast<double>(layer.columns);
  const double triangular = static_cast<double>(layer.rows) * n * n;
  const bool blocks = layer.granularity == Granularity::kGroup;
  const double trials = blocks ? 1.0 : kClipTrials + kGptqTrials;
  const double products = trials * triangular + 2.0 * 2.0 * triangular;
  const double errors = 4.0 * triangular * 2.0;
  return static_cast<double>(layer.groups) * (products + errors + n * n * n / 3.0) / rate;
}

std::string describe(const Case& layer) {
  std::string scales = granularity_name(layer.granularity);
  if (layer.block_size > 0) scales += format(" {}", layer.block_size);
  if (layer.block_scale_bits > 0) scales += " LPBQ";
  return format("{} int{} {}", layer.name, dtype_bits(layer.type), scales);
}

void measure_case(const Case& layer, int threads, std::string& csv) {
  const LayerProblem problem = make_problem(layer);
  const GridSpec grid = make_grid(layer);
  RoundingOptions options;
  options.threads = threads;
  const RoundedLayer rounded = weights::round_layer(problem, grid, options);
  check_result(layer, problem, grid, rounded);
  const double rate = product_rate(std::max<std::int64_t>(layer.rows, 64), layer.columns);
  const double bound = bound_seconds(layer, rate);
  const bool large = layer.rows * layer.columns > 1000000;
  const LeastCost cost =
      measure(large ? 2 : 5, [&] { (void)weights::round_layer(problem, grid, options); });
  const auto part = [&](double error) { return error / rounded.error_min_max; };
  const std::string name = describe(layer);
  std::printf("%-38s %.3f %.3f %.3f  %3d sweeps  %7.4f s CPU %7.4f s wall  %5.1f x bound\n",
              name.c_str(), part(rounded.error_clip), part(rounded.error_gptq), part(rounded.error),
              rounded.sweeps, cost.cpu_seconds, cost.wall_seconds, cost.cpu_seconds / bound);
  csv +=
      format("{},{},{},{:.4f},{:.4f},{:.4f},{},{:.4f},{:.4f},{:.4f},{:.1f}\n", name, layer.rows,
             layer.columns, part(rounded.error_clip), part(rounded.error_gptq), part(rounded.error),
             rounded.sweeps, cost.cpu_seconds, cost.wall_seconds, bound, rate / 1e9);
}

}  // namespace
}  // namespace hexquant

int main(int argc, char** argv) {
  try {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
    std::string csv =
        "layer,rows,columns,error_clip,error_gptq,error,sweeps,cpu_seconds,wall_seconds,"
        "bound_seconds,product_gflops\n";
    std::printf("errors after clip search, GPTQ and descent: parts of min-max nearest rounding\n");
    for (const hexquant::Case& layer : hexquant::cases()) {
      hexquant::measure_case(layer, threads, csv);
    }
    if (argc > 2) hexquant::write_file(argv[2], csv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_rounding: %s\n", error.what());
    return 1;
  }
}
