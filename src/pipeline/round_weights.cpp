#include "pipeline/round_weights.h"

#include <algorithm>
#include <utility>

#include "calibrate/gather_layer.h"
#include "calibrate/value_stream.h"
#include "core/format.h"
#include "core/stopwatch.h"
#include "hexquant/error.h"
#include "pipeline/layer_steps.h"
#include "quant/insert_qdq.h"
#include "weights/solve_layer.h"

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
  Encoding encoding = quant::empty_encoding(policy);
  encoding.scale = layout.to_scale_order(rounded.scale, policy.granularity);
  encoding.zero_point = layout.to_scale_order(rounded.zero_point, policy.granularity);
  if (policy.block_scale_bits > 0) {
    encoding.block_int_scale = layout.to_scale_order(rounded.block_int_scale, policy.granularity);
    encoding.channel_scale = rounded.row_scale;
  }
  return encoding;
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
        round(layer, quant::moments_of_gram(found->second, layer.weights, layer.bias), {}, 0.0);
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
      calibrate::GatheredLayer data = gather(layer, reference, prefix, quantized, seed);
      round(layer, std::move(data.moments), std::move(data.samples), watch.lap_seconds());
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
    // A depthwise layer has few columns and many matrices.
    const std::int64_t usual =
        step.layout.groups() > 1 ? options_.positions / 2 : options_.positions;
    const std::int64_t positions = std::max(usual, kPositionsPerColumn * step.layout.columns());
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

  void round(const Layer& layer, LayerMoments moments, quant::LayerSamples samples,
             double gather_seconds) {
    Stopwatch watch;
    const LayerStep& step = layer.step;
    const TensorPolicy& policy = plan_.tensors.at(step.weight);
    const bool moves_bias = options_.correct_bias && !step.bias.empty();
    weights::LayerData data;
    data.weights = layer.weights;
    data.bias = layer.bias;
    data.moments = std::move(moments);
    data.samples = std::move(samples);
    if (step.clamp) data.clamp = {step.clamp->min, step.clamp->max};
    data.moves_bias = moves_bias;
    weights::SolvedLayer solved = weights::solve_layer(std::move(data), grid_of(policy),
                                                       options_.solver, options_.target_damping);
    on_grid_.set_initializer(step.weight,
                             Tensor::from<float>(prepared_.find_initializer(step.weight)->shape(),
                                                 step.layout.from_matrix(solved.values)));
    encodings_.tensors[step.weight] = encoding_of(policy, step.layout, solved.rounded);
    if (moves_bias) {
      const Tensor& old = *on_grid_.find_initializer(step.bias);
      on_grid_.set_initializer(step.bias, Tensor::from<float>(old.shape(), solved.bias));
    }
    solved.report.node = step.node->name();
    solved.report.weight = step.weight;
    solved.report.gather_seconds = gather_seconds;
    solved.report.solve_seconds = watch.lap_seconds();
    reports_.push_back(std::move(solved.report));
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
