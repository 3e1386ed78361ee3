#include "pipeline/quantize_pipeline.h"

#include <cmath>
#include <utility>

#include "calibrate/calibrator.h"
#include "calibrate/encode_activations.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "passes/add_missing_bias.h"
#include "pipeline/group_options.h"
#include "pipeline/layer_steps.h"
#include "pipeline/split_group_biases.h"
#include "plan/config_rules.h"
#include "quant/insert_qdq.h"
#include "quant/matmul_nbits.h"

namespace hexquant::pipeline {
namespace {

/// Unusable numbers are found before the first inference, with the tensor's name.
void check_finite_weights(const graph::Graph& graph, const std::string& model) {
  for (const auto& [name, tensor] : graph.initializers()) {
    if (tensor.dtype() != DType::kFloat32) continue;
    const auto values = tensor.data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      // -inf is a legal attention mask constant only where nothing multiplies it; NaN never is.
      if (!std::isnan(values[i]) && !(std::isinf(values[i]) && tensor.size() > 1)) continue;
      throw Error(ErrorCode::kInvalidModel,
                  format("{}: weight '{}' holds {} at element {}: expected finite values", model,
                         name, values[i], i));
    }
  }
}

/// Bias correction needs a bias; a bias would keep a layer from block-quantized weights.
bool needs_biases(const QuantizeOptions& options) {
  return options.rounding && options.rounding->correct_bias &&
         options.plan.granularity != Granularity::kGroup;
}

/// Where the time of rounding went.
void add_rounding_seconds(QuantizedModel& model) {
  double gather_seconds = 0.0;
  double solve_seconds = 0.0;
  for (const weights::RoundingReport& report : model.rounding) {
    gather_seconds += report.gather_seconds;
    solve_seconds += report.solve_seconds;
  }
  model.seconds.emplace_back("round_gather", gather_seconds);
  model.seconds.emplace_back("round_solve", solve_seconds);
}

/// `quantized`, from the weights on their grids and the encodings.
void put_pairs(const QuantizeOptions& options, QuantizedModel& model) {
  model.quantized = quant::insert_qdq(model.weights_on_grid, model.encodings);
  if (options.matmul_nbits) model.quantized = quant::use_matmul_nbits(model.quantized);
}

void collect_findings(QuantizedModel& model) {
  for (const passes::PassReport& report : model.passes) {
    append(model.findings, report.findings);
  }
  append(model.findings, model.equalization.findings);
  append(model.findings, model.plan.findings);
}

}  // namespace

std::vector<data::ModelInput> model_inputs(const graph::Graph& graph) {
  std::vector<data::ModelInput> inputs;
  for (const std::string& name : graph.inputs()) {
    data::ModelInput input;
    input.name = name;
    if (const graph::ValueType* type = graph.find_type(name)) {
      input.dtype = type->dtype;
      if (type->shape) input.shape = *type->shape;
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

passes::PrepareOptions prepare_options(const Recipe& recipe, const plan::PlanOptions& plan,
                                       runtime::Feeds example) {
  passes::PrepareOptions options;
  options.input_shapes = recipe.input_shapes;
  options.example = std::move(example);
  const plan::ConfigRules config(plan.config.get());
  options.recognise_layer_norm = config.runs_pass("LayerNormalization");
  options.recognise_rms_norm = config.runs_pass("RMSNormalization");
  return options;
}

std::vector<calibrate::GramRequest> gram_requests(const graph::Graph& graph,
                                                  const quant::QuantPlan& plan,
                                                  const QuantizeOptions& options) {
  std::vector<calibrate::GramRequest> requests;
  if (!options.rounding || options.rounding->mode != RoundingMode::kOnePass) return requests;
  for (const LayerStep& step : find_layer_steps(graph, plan)) {
    requests.push_back({.node = step.node->name()});
  }
  return requests;
}

std::unique_ptr<data::Dataset> read_and_prepare(const Recipe& recipe,
                                                const QuantizeOptions& options,
                                                const target::Target& target, int threads,
                                                QuantizedModel& model, ProgressSink& progress) {
  Stopwatch watch;
  model.original = formats::read_onnx(recipe.model);
  check_finite_weights(model.original, recipe.model);
  graph::Graph graph = model.original;
  passes::fix_input_shapes(graph, recipe.input_shapes);
  auto dataset = data::open_dataset(options.data, model_inputs(graph));
  model.seconds.emplace_back("read", watch.lap_seconds());

  model.passes = passes::prepare(graph, prepare_options(recipe, options.plan, dataset->load(0)));
  split_group_biases(graph, target, options.plan, model.passes);
  if (needs_biases(options)) model.passes.push_back(passes::add_missing_bias(graph));
  model.seconds.emplace_back("prepare", watch.lap_seconds());

  if (options.equalize) {
    model.equalization = equalize(graph, options, target, *dataset, threads, progress);
    model.seconds.emplace_back("equalize", watch.lap_seconds());
  }
  model.prepared = std::move(graph);
  return dataset;
}

void encode_and_round(const Recipe& recipe, const QuantizeOptions& options,
                      const data::Dataset& dataset, int threads, QuantizedModel& model,
                      ProgressSink& progress) {
  Stopwatch watch;
  graph::Graph graph = model.prepared;
  model.encodings = calibrate::encode_activations(graph, model.plan, model.statistics,
                                                  options.observer, model.findings);
  model.seconds.emplace_back("observe", watch.lap_seconds());

  model.weights =
      weights::quantize_weights(graph, model.plan, model.encodings, options.weights, progress);
  if (options.rounding) {
    model.rounding =
        round_weights(model.prepared, graph, model.plan, model.encodings, model.statistics, dataset,
                      *options.rounding, recipe.seed, threads, model.findings, progress);
    add_rounding_seconds(model);
  }
  const Findings saturated = weights::quantize_biases(graph, model.plan, model.encodings);
  append(model.findings, saturated);
  model.weights_on_grid = std::move(graph);
  model.seconds.emplace_back("weights", watch.lap_seconds());
}

void take_trained(const graph::Graph& weights, const quant::EncodingTable& encodings,
                  const quant::QuantPlan& plan, const QuantizeOptions& options,
                  QuantizedModel& model) {
  model.encodings = encodings;
  model.weights_on_grid = weights;
  const Findings saturated = weights::quantize_biases(model.weights_on_grid, plan, model.encodings);
  append(model.findings, saturated);
  put_pairs(options, model);
}

std::unique_ptr<data::Dataset> prepare_and_plan(const Recipe& recipe, const QuantizeOptions& given,
                                                const target::Target& target, int threads,
                                                QuantizedModel& model, ProgressSink& progress) {
  QuantizeOptions options = given;
  options.plan.original = &model.original;
  auto dataset = read_and_prepare(recipe, options, target, threads, model, progress);
  Stopwatch watch;
  model.plan = plan::make_plan(model.prepared, target, options.plan);
  plan::narrow_codes(model.prepared, options.narrow, model.plan);
  collect_findings(model);
  model.seconds.emplace_back("plan", watch.lap_seconds());
  return dataset;
}

QuantizedModel run_stages(const Recipe& recipe, const QuantizeOptions& options,
                          const target::Target& target, int threads, ProgressSink& progress) {
  QuantizedModel model;
  const auto dataset = prepare_and_plan(recipe, options, target, threads, model, progress);
  Stopwatch watch;
  const auto lap = [&](const char* stage) {
    model.seconds.emplace_back(stage, watch.lap_seconds());
  };

  model.statistics = calibrate::calibrate(
      model.prepared, *dataset, calibrate::taps_for_plan(model.prepared, model.plan),
      gram_requests(model.prepared, model.plan, options), {threads, recipe.seed}, progress);
  lap("calibrate");

  encode_and_round(recipe, options, *dataset, threads, model, progress);

  watch.lap_seconds();
  put_pairs(options, model);
  add_group_findings(model);
  lap("insert_qdq");
  return model;
}

}  // namespace hexquant::pipeline
