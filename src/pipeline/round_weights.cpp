#include "pipeline/round_weights.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "calibrate/gather_layer.h"
#include "calibrate/value_stream.h"
#include "core/format.h"
#include "core/stopwatch.h"
#include "hexquant/error.h"
#include "linalg/quadratic_form.h"
#include "pipeline/layer_steps.h"
#include "quant/insert_qdq.h"
#include "weights/fit_target.h"
#include "weights/refine_clamped.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using quant::LayerMoments;
using quant::TensorPolicy;
using weights::RoundedLayer;
using weights::RoundingReport;

/// Positions that a layer of `columns` inputs needs so that its moments are not noise.
constexpr std::int64_t kPositionsPerColumn = 8;
constexpr std::int64_t kFewestSamples = 8;
/// Positions on which a layer is looked at behind its Relu.
constexpr std::int64_t kClampPositions = 4096;

/// The activations' part of a table: weights stay float.
quant::EncodingTable activations_only(const Graph& graph, const quant::QuantPlan& plan,
                                      const quant::EncodingTable& encodings) {
  quant::EncodingTable activations;
  activations.edges = encodings.edges;
  for (const auto& [name, encoding] : encodings.tensors) {
    const auto policy = plan.tensors.find(name);
    const bool is_weight =
        policy != plan.tensors.end() && policy->second.role == quant::Role::kWeight;
    if (!is_weight || graph.find_initializer(name) == nullptr) {
      activations.tensors.emplace(name, encoding);
    }
  }
  return activations;
}

/// Moments about 0 of inputs and of the outputs without their fixed bias, for a layer whose bias
/// cannot take the mean of the error.
void uncentre(LayerMoments& moments, const std::vector<float>& bias) {
  const std::int64_t n = moments.columns;
  for (std::int64_t g = 0; g < moments.groups; ++g) {
    const double* const mean = moments.mean.data() + g * n;
    float* const gram = moments.gram.data() + g * n * n;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) gram[i * n + j] += static_cast<float>(mean[i] * mean[j]);
    }
    if (moments.cross.empty()) continue;
    for (std::int64_t r = 0; r < moments.rows; ++r) {
      const auto output = static_cast<std::size_t>(g * moments.rows + r);
      const double target = moments.target_mean[output] - (bias.empty() ? 0.0F : bias[output]);
      float* const cross = moments.cross.data() + static_cast<std::int64_t>(output) * n;
      for (std::int64_t c = 0; c < n; ++c) cross[c] += static_cast<float>(target * mean[c]);
    }
  }
}

/// W x + b and its moments where x is what the float model sees.
LayerMoments moments_of_gram(const quant::LayerGram& gram, const std::vector<float>& weights,
                             const std::vector<float>& bias) {
  LayerMoments moments;
  moments.groups = gram.groups;
  moments.columns = gram.columns;
  moments.count = gram.count;
  const std::int64_t n = gram.columns;
  moments.rows = static_cast<std::int64_t>(weights.size()) / (n * gram.groups);
  const auto count = static_cast<double>(gram.count);
  for (const double sum : gram.sum) moments.mean.push_back(sum / count);
  moments.gram.resize(gram.gram.size());
  for (std::int64_t g = 0; g < gram.groups; ++g) {
    const double* const mean = moments.mean.data() + g * n;
    for (std::int64_t i = 0; i < n * n; ++i) {
      const auto at = static_cast<std::size_t>(g * n * n + i);
      moments.gram[at] = static_cast<float>(gram.gram[at] / count - mean[i / n] * mean[i % n]);
    }
    for (std::int64_t r = 0; r < moments.rows; ++r) {
      const auto output = static_cast<std::size_t>(g * moments.rows + r);
      double target = bias.empty() ? 0.0 : bias[output];
      for (std::int64_t c = 0; c < n; ++c) {
        target +=
            weights[output * static_cast<std::size_t>(n) + static_cast<std::size_t>(c)] * mean[c];
      }
      moments.target_mean.push_back(target);
    }
  }
  return moments;
}

weights::GridSpec grid_of(const TensorPolicy& policy) {
  weights::GridSpec grid;
  grid.type = policy.type;
  grid.symmetric = policy.symmetric;
  grid.strict = policy.strict;
  grid.granularity = policy.granularity;
  grid.block_size = policy.block_size;
  grid.block_scale_bits = policy.block_scale_bits;
  grid.range_factor = policy.range_factor;
  return grid;
}

Encoding encoding_of(const TensorPolicy& policy, const quant::WeightMatrix& layout,
                     const RoundedLayer& rounded) {
  Encoding encoding;
  encoding.type = policy.type;
  encoding.symmetric = policy.symmetric;
  encoding.strict = policy.strict;
  encoding.granularity = policy.granularity;
  encoding.axis = policy.granularity == Granularity::kTensor ? 0 : policy.axis;
  encoding.block_size = policy.granularity == Granularity::kGroup ? policy.block_size : 0;
  encoding.scale = layout.to_scale_order(rounded.scale, policy.granularity);
  encoding.zero_point = layout.to_scale_order(rounded.zero_point, policy.granularity);
  if (policy.block_scale_bits > 0) {
    encoding.block_int_scale = layout.to_scale_order(rounded.block_int_scale, policy.granularity);
    encoding.channel_scale = rounded.row_scale;
  }
  return encoding;
}

/// (q - zero_point) * scale, [groups, rows, columns].
std::vector<float> dequantize(const RoundedLayer& rounded, const quant::WeightMatrix& layout,
                              const weights::GridSpec& grid) {
  const auto n = static_cast<std::size_t>(layout.columns());
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

class WeightRounder {
 public:
  WeightRounder(const Graph& prepared, Graph& on_grid, const quant::QuantPlan& plan,
                quant::EncodingTable& encodings, const DataRounding& options, int threads)
      : prepared_(prepared),
        on_grid_(on_grid),
        plan_(plan),
        encodings_(encodings),
        options_(options),
        threads_(threads) {
    options_.solver.threads = threads;
  }

  std::vector<RoundingReport> run_one_pass(const quant::Statistics& statistics,
                                           ProgressSink& progress) {
    const auto steps = find_layer_steps(prepared_, plan_);
    ProgressStage stage(progress, "round", static_cast<std::int64_t>(steps.size()));
    for (const LayerStep& step : steps) {
      const auto found = statistics.grams.find(step.node->name());
      if (found != statistics.grams.end()) {
        const Layer layer = load(step);
        round(layer, moments_of_gram(found->second, layer.weights, layer.bias), {}, 0.0);
      }
      stage.step();
    }
    return std::move(reports_);
  }

  std::vector<RoundingReport> run_in_order(const data::Dataset& dataset, std::uint64_t seed,
                                           Findings& findings, ProgressSink& progress) {
    const auto steps = find_layer_steps(prepared_, plan_);
    const std::int64_t samples = affordable_samples(steps, dataset, findings);
    Graph quantized = quant::insert_qdq(on_grid_, activations_only(on_grid_, plan_, encodings_));
    calibrate::ValueStream reference(dataset, samples, threads_);
    calibrate::ValueStream prefix(dataset, samples, threads_);
    ProgressStage stage(progress, "round", static_cast<std::int64_t>(steps.size()));
    for (const LayerStep& step : steps) {
      Stopwatch watch;
      reference.advance(prepared_, step.frontier);
      prefix.advance(quantized, held_by(quantized, step.frontier));
      const Layer layer = load(step);
      const calibrate::GatheredLayer data = gather(layer, reference, prefix, quantized, seed);
      round(layer, data.moments, data.samples, watch.lap_seconds());
      quantized.set_initializer(step.weight, *on_grid_.find_initializer(step.weight));
      if (!step.bias.empty()) {
        quantized.set_initializer(step.bias, *on_grid_.find_initializer(step.bias));
      }
      stage.step();
    }
    return std::move(reports_);
  }

 private:
  struct Layer {
    const LayerStep& step;
    std::vector<float> weights;  // [groups, rows, columns]
    std::vector<float> bias;
  };

  [[nodiscard]] Layer load(const LayerStep& step) const {
    Layer layer{
        step, step.layout.to_matrix(prepared_.find_initializer(step.weight)->data<float>()), {}};
    const std::string& name = step.bias.empty() ? step.node->input(2) : step.bias;
    const Tensor* bias = name.empty() ? nullptr : prepared_.find_initializer(name);
    if (bias != nullptr && bias->size() == step.layout.groups() * step.layout.rows()) {
      const auto values = bias->data<float>();
      layer.bias.assign(values.begin(), values.end());
    }
    return layer;
  }

  [[nodiscard]] std::int64_t affordable_samples(const std::vector<LayerStep>& steps,
                                                const data::Dataset& dataset,
                                                Findings& findings) const {
    const std::int64_t sample_bytes = std::max<std::int64_t>(1, widest_cut_bytes(prepared_, steps));
    const std::int64_t samples =
        std::clamp(options_.memory_bytes / sample_bytes, std::min(kFewestSamples, dataset.size()),
                   dataset.size());
    if (samples < dataset.size()) {
      findings.push_back({"fewer-rounding-samples", Severity::kInfo, "",
                          format("rounding uses {} of {} samples: the values at the widest cut "
                                 "take {} MB a sample",
                                 samples, dataset.size(), sample_bytes >> 20),
                          ""});
    }
    return samples;
  }

  static std::vector<std::string> held_by(const Graph& quantized,
                                          const std::vector<std::string>& frontier) {
    std::vector<std::string> held;
    for (const std::string& value : frontier) {
      for (std::string& name : held_values(quantized, value)) held.push_back(std::move(name));
    }
    std::sort(held.begin(), held.end());
    held.erase(std::unique(held.begin(), held.end()), held.end());
    return held;
  }

  [[nodiscard]] calibrate::GatheredLayer gather(const Layer& layer,
                                                const calibrate::ValueStream& reference,
                                                const calibrate::ValueStream& prefix,
                                                const Graph& quantized, std::uint64_t seed) const {
    const LayerStep& step = layer.step;
    const auto input = static_cast<std::size_t>(step.data_input);
    calibrate::LayerSource float_side{reference, prepared_, step.node->input(input), ""};
    calibrate::LayerSource quantized_side{
        prefix, quantized, node_named(quantized, step.node->name()).input(input), ""};
    if (options_.mode == RoundingMode::kBlock && step.add != nullptr) {
      const auto addend = static_cast<std::size_t>(step.addend_input);
      float_side.addend = step.add->input(addend);
      quantized_side.addend = node_named(quantized, step.add->name()).input(addend);
    }
    const std::int64_t positions =
        std::max(options_.positions, kPositionsPerColumn * step.layout.columns());
    return calibrate::gather_layer({prepared_, *step.node, step.layout, layer.weights, layer.bias},
                                   float_side, quantized_side,
                                   {.positions = positions,
                                    .kept_positions = refines(step) ? kClampPositions : 0,
                                    .seed = seed,
                                    .threads = threads_});
  }

  [[nodiscard]] bool refines(const LayerStep& step) const {
    return options_.mode == RoundingMode::kBlock && options_.solver.coordinate_descent &&
           step.clamp.has_value();
  }

  void round(const Layer& layer, LayerMoments moments, const quant::LayerSamples& samples,
             double gather_seconds) {
    Stopwatch watch;
    const LayerStep& step = layer.step;
    const TensorPolicy& policy = plan_.tensors.at(step.weight);
    const bool moves_bias = options_.correct_bias && !step.bias.empty();
    const std::vector<double> mean = moments.mean;
    if (!moves_bias) uncentre(moments, layer.bias);

    weights::LayerProblem problem;
    problem.groups = moments.groups;
    problem.rows = moments.rows;
    problem.columns = moments.columns;
    problem.weights = layer.weights;
    problem.target = moments.cross.empty() ? layer.weights
                                           : weights::fit_target(moments, layer.weights,
                                                                 options_.target_damping, threads_);
    problem.gram = std::move(moments.gram);
    const weights::GridSpec grid = grid_of(policy);
    RoundedLayer rounded = weights::round_layer(problem, grid, options_.solver);
    RoundingReport report = report_of(layer, problem, rounded, threads_);
    std::vector<float> values = dequantize(rounded, step.layout, grid);
    std::vector<float> bias = layer.bias;
    bias.resize(static_cast<std::size_t>(problem.groups * problem.rows));
    if (moves_bias) bias = corrected_bias(layer, values, mean, moments.target_mean);
    if (samples.count > 0) {
      const weights::ClampedError error = weights::refine_clamped(
          samples, {step.clamp->min, step.clamp->max}, grid, problem.groups, problem.rows,
          problem.columns, rounded, bias, moves_bias, threads_);
      report.clamped_before = error.before;
      report.clamped_after = error.after;
      values = dequantize(rounded, step.layout, grid);
    }
    on_grid_.set_initializer(step.weight,
                             Tensor::from<float>(prepared_.find_initializer(step.weight)->shape(),
                                                 step.layout.from_matrix(values)));
    encodings_.tensors[step.weight] = encoding_of(policy, step.layout, rounded);
    report.bias_shift *= moves_bias ? store_bias(layer, bias) : 0.0;
    report.positions = moments.count;
    report.gather_seconds = gather_seconds;
    report.solve_seconds = watch.lap_seconds();
    reports_.push_back(std::move(report));
  }

  /// b = E[t] - V E[x^].
  [[nodiscard]] static std::vector<float> corrected_bias(const Layer& layer,
                                                         const std::vector<float>& values,
                                                         const std::vector<double>& mean,
                                                         const std::vector<double>& target_mean) {
    const auto n = static_cast<std::size_t>(layer.step.layout.columns());
    const auto rows = static_cast<std::size_t>(layer.step.layout.rows());
    std::vector<float> bias(target_mean.size());
    for (std::size_t o = 0; o < bias.size(); ++o) {
      double value = target_mean[o];
      for (std::size_t c = 0; c < n; ++c) value -= values[o * n + c] * mean[o / rows * n + c];
      bias[o] = static_cast<float>(value);
    }
    return bias;
  }

  /// Returns the rms change.
  double store_bias(const Layer& layer, const std::vector<float>& bias) {
    double change = 0.0;
    for (std::size_t o = 0; o < bias.size(); ++o) {
      const double step = bias[o] - (layer.bias.empty() ? 0.0F : layer.bias[o]);
      change += step * step;
    }
    const Tensor& old = *on_grid_.find_initializer(layer.step.bias);
    on_grid_.set_initializer(layer.step.bias, Tensor::from<float>(old.shape(), bias));
    return std::sqrt(change / static_cast<double>(bias.size()));
  }

  [[nodiscard]] static RoundingReport report_of(const Layer& layer,
                                                const weights::LayerProblem& problem,
                                                const RoundedLayer& rounded, int threads) {
    RoundingReport report;
    report.node = layer.step.node->name();
    report.weight = layer.step.weight;
    const std::vector<float> zero(static_cast<std::size_t>(problem.rows * problem.columns));
    std::vector<double> powers(static_cast<std::size_t>(problem.rows));
    double power = 0.0;
    for (std::int64_t g = 0; g < problem.groups; ++g) {
      linalg::quadratic_forms(problem.target.data() + g * problem.rows * problem.columns,
                              zero.data(), problem.rows, problem.columns,
                              problem.gram.data() + g * problem.columns * problem.columns,
                              powers.data(), threads);
      for (const double row : powers) power += row;
    }
    const double unit = power > 0.0 ? 1.0 / power : 0.0;
    report.bias_shift = std::sqrt(unit * static_cast<double>(problem.groups * problem.rows));
    report.error_min_max = rounded.error_min_max * unit;
    report.error_clip = rounded.error_clip * unit;
    report.error_gptq = rounded.error_gptq * unit;
    report.error = rounded.error * unit;
    report.sweeps = rounded.sweeps;
    return report;
  }

  const Graph& prepared_;
  Graph& on_grid_;
  const quant::QuantPlan& plan_;
  quant::EncodingTable& encodings_;
  DataRounding options_;
  int threads_;
  std::vector<RoundingReport> reports_;
};

}  // namespace

std::vector<RoundingReport> round_weights(const Graph& prepared, Graph& on_grid,
                                          const quant::QuantPlan& plan,
                                          quant::EncodingTable& encodings,
                                          const quant::Statistics& statistics,
                                          const data::Dataset& dataset, const DataRounding& options,
                                          std::uint64_t seed, int threads, Findings& findings,
                                          ProgressSink& progress) {
  WeightRounder rounder(prepared, on_grid, plan, encodings, options, threads);
  if (options.mode == RoundingMode::kOnePass) return rounder.run_one_pass(statistics, progress);
  return rounder.run_in_order(dataset, seed, findings, progress);
}

}  // namespace hexquant::pipeline
