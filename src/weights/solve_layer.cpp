#include "weights/solve_layer.h"

#include <cmath>
#include <utility>

#include "linalg/quadratic_form.h"
#include "weights/fit_target.h"

namespace hexquant::weights {
namespace {

using quant::LayerMoments;

/// (q - zero_point) * scale, [groups, rows, columns].
std::vector<float> dequantize(const RoundedLayer& rounded, std::int64_t columns,
                              const GridSpec& grid) {
  const auto n = static_cast<std::size_t>(columns);
  const auto block =
      grid.granularity == Granularity::kGroup ? static_cast<std::size_t>(grid.block_size) : n;
  const std::size_t blocks = (n + block - 1) / block;
  std::vector<float> values(rounded.codes.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t scale =
        grid.granularity == Granularity::kTensor ? 0 : i / n * blocks + i % n / block;
    values[i] =
        static_cast<float>(rounded.codes[i] - rounded.zero_point[scale]) * rounded.scale[scale];
  }
  return values;
}

/// b = E[t] - V E[x^].
std::vector<float> corrected_bias(const LayerMoments& moments, const std::vector<float>& values) {
  const auto n = static_cast<std::size_t>(moments.columns);
  const auto rows = static_cast<std::size_t>(moments.rows);
  std::vector<float> bias(moments.target_mean.size());
  for (std::size_t o = 0; o < bias.size(); ++o) {
    double value = moments.target_mean[o];
    for (std::size_t c = 0; c < n; ++c) value -= values[o * n + c] * moments.mean[o / rows * n + c];
    bias[o] = static_cast<float>(value);
  }
  return bias;
}

double rms_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    sum += difference * difference;
  }
  return std::sqrt(sum / static_cast<double>(a.size()));
}

/// Power of the outputs that the target would give.
double output_power(const LayerProblem& problem, int threads) {
  const std::vector<float> zero(static_cast<std::size_t>(problem.rows * problem.columns));
  std::vector<double> rows(static_cast<std::size_t>(problem.rows));
  double power = 0.0;
  for (std::int64_t g = 0; g < problem.groups; ++g) {
    linalg::quadratic_forms(problem.target.data() + g * problem.rows * problem.columns, zero.data(),
                            problem.rows, problem.columns,
                            problem.gram.data() + g * problem.columns * problem.columns,
                            rows.data(), threads);
    for (const double row : rows) power += row;
  }
  return power;
}

}  // namespace

SolvedLayer solve_layer(LayerData data, const GridSpec& grid, const RoundingOptions& options,
                        double target_damping) {
  LayerMoments& moments = data.moments;
  if (!data.moves_bias) uncentre(moments, data.bias);
  LayerProblem problem;
  problem.groups = moments.groups;
  problem.rows = moments.rows;
  problem.columns = moments.columns;
  problem.target = moments.cross.empty()
                       ? data.weights
                       : fit_target(moments, data.weights, target_damping, options.threads);
  problem.weights = std::move(data.weights);
  problem.gram = std::move(moments.gram);

  SolvedLayer solved;
  solved.rounded = round_layer(problem, grid, options);
  solved.values = dequantize(solved.rounded, problem.columns, grid);
  data.bias.resize(static_cast<std::size_t>(problem.groups * problem.rows));
  solved.bias = data.moves_bias ? corrected_bias(moments, solved.values) : data.bias;
  RoundingReport& report = solved.report;
  if (data.samples.count > 0 && data.clamp) {
    const ClampedError error = refine_clamped(data.samples, *data.clamp, grid, problem.groups,
                                              problem.rows, problem.columns, solved.rounded,
                                              solved.bias, data.moves_bias, options.threads);
    report.clamped_before = error.before;
    report.clamped_after = error.after;
    solved.values = dequantize(solved.rounded, problem.columns, grid);
  }
  const double power = output_power(problem, options.threads);
  const double unit = power > 0.0 ? 1.0 / power : 0.0;
  report.error_min_max = solved.rounded.error_min_max * unit;
  report.error_clip = solved.rounded.error_clip * unit;
  report.error_gptq = solved.rounded.error_gptq * unit;
  report.error = solved.rounded.error * unit;
  report.bias_shift = rms_difference(solved.bias, data.bias) *
                      std::sqrt(unit * static_cast<double>(problem.groups * problem.rows));
  report.sweeps = solved.rounded.sweeps;
  report.positions = moments.count;
  return solved;
}

}  // namespace hexquant::weights
