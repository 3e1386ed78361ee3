#include "pipeline/qat_job.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/file_io.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "core/journal.h"
#include "core/plugin.h"
#include "core/stopwatch.h"
#include "evaluate/difference.h"
#include "evaluate/evaluate_models.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "passes/fix_input_shapes.h"
#include "pipeline/data_overlap.h"
#include "pipeline/evaluation_task.h"
#include "pipeline/quantized_start.h"
#include "pipeline/recipe_json.h"
#include "pipeline/training_norms.h"
#include "pipeline/training_options.h"
#include "weights/quantize_weights.h"

namespace hexquant::pipeline {
namespace {

qat::TrainFunction load_trainer() {
  return reinterpret_cast<qat::TrainFunction>(plugin_symbol(
      "hexquant_qat", qat::kTrainSymbol,
      "training needs LibTorch: install it (Debian, Ubuntu: apt-get install libtorch-dev; "
      "scripts/setup.sh --qat does so) and build hexquant again"));
}

std::filesystem::path checkpoint_of(const Recipe& recipe) {
  return std::filesystem::path(recipe.output) / "checkpoint";
}

/// Samples to train with.
struct TrainingData {
  data::DataOptions options;
  std::vector<data::ModelInput> inputs;
  std::unique_ptr<data::Dataset> samples;
  std::vector<std::int64_t> labels;
};

TrainingData open_training_data(const Recipe& recipe, const graph::Graph& graph) {
  TrainingData data;
  data.options = training_data_options(recipe);
  data.inputs = model_inputs(graph);
  data.samples = data::open_dataset(data.options, data.inputs);
  if (!recipe.training.labels.empty() || data::has_labels(data.options)) {
    data.labels = data::read_labels(recipe.training.labels, data.options);
  }
  return data;
}

/// Scores of samples that were trained with say nothing. A few equal samples by chance are named,
/// more are refused.
Findings refuse_overlap(const data::Dataset& trained, const data::Dataset& scored) {
  constexpr std::int64_t kMostByChance = 20;  // one in so many
  const std::int64_t shared = count_overlap(trained, scored);
  if (shared == 0) return {};
  const std::string found =
      format("{} of {} samples to validate with are trained with too", shared, scored.size());
  if (shared * kMostByChance > scored.size()) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: give other samples with --val-data, or leave them out of --train-data "
                       "with --train-samples and --train-skip",
                       found));
  }
  return {{"validation-overlaps-training", Severity::kWarning, "", found,
           "leave them out of --train-data"}};
}

/// What must be the same for a run to go on from a checkpoint: model, data and options, the time
/// limit left out.
std::string digest_of(const Recipe& recipe, const qat::TrainRequest& request) {
  constexpr std::int64_t kSamples = 64;
  Recipe named = recipe;
  named.training.max_seconds = 0.0;
  Digest digest;
  digest.add(to_text(recipe_to_json(named)));
  const auto add_tensor = [&](const std::string& name, const Tensor& tensor) {
    digest.add(name).add({reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()});
  };
  for (const auto& [name, tensor] : request.start->initializers()) add_tensor(name, tensor);
  for (const auto& [name, encoding] : request.encodings->tensors) {
    digest.add(format("{} {} {}", name, join(encoding.scale, " "), join(encoding.zero_point, " ")));
  }
  const std::int64_t count = request.data->size();
  digest.add(format("{} {}", count, join(request.labels, " ")));
  for (std::int64_t i = 0; i < std::min(count, kSamples); ++i) {
    const data::Sample sample = request.data->load(i * count / std::min(count, kSamples));
    for (const auto& [name, tensor] : sample) add_tensor(name, tensor);
  }
  return digest.text();
}

/// Encodings that training starts from: biases follow from the others.
quant::EncodingTable without_biases(const quant::EncodingTable& encodings,
                                    const quant::QuantPlan& plan) {
  quant::EncodingTable table = encodings;
  for (const auto& [name, source] : plan.biases) table.tensors.erase(name);
  return table;
}

/// Metric of a quantized model by the task.
double score(const graph::Graph& quantized, const graph::Graph& reference,
             const evaluate::Task& task, int threads, ProgressSink& progress) {
  const evaluate::Model model = {"trained", &quantized, {}};
  if (!task.metric.needs_reference()) {
    return evaluate::evaluate_models(model, {}, task, threads, progress).reference.value();
  }
  return evaluate::evaluate_models({"float", &reference, {}}, {model}, task, threads, progress)
      .candidates.front()
      .score.value();
}

/// Weights of the trained model against those of the float model.
void update_weight_reports(QuantizedModel& model) {
  for (weights::WeightReport& report : model.weights) {
    evaluate::Difference difference;
    difference.add(*model.prepared.find_initializer(report.weight),
                   *model.weights_on_grid.find_initializer(report.weight));
    report.sqnr_db = difference.sqnr_db();
  }
}

}  // namespace

Findings check_training(const Recipe& given) {
  (void)load_trainer();
  const Recipe recipe = with_training_data(given);
  if (!recipe.training.start.empty()) check_start(recipe);
  graph::Graph graph = formats::read_onnx(recipe.model);
  passes::fix_input_shapes(graph, recipe.input_shapes);
  const TrainingData data = open_training_data(recipe, graph);
  Findings ignored;  // the final verification reports them
  const EvaluationTask evaluation =
      open_evaluation(recipe.evaluation, recipe.data, recipe.seed, graph, ignored);
  const qat::TrainOptions options =
      resolve_training(recipe, !data.labels.empty(), evaluation.task.metric);
  if (options.loss != qat::Loss::kDistillation && data.labels.empty()) {
    throw Error(
        ErrorCode::kInvalidArgument,
        format("loss '{}' needs labels of the training data: give --train-labels, or --loss "
               "distillation",
               recipe.training.loss));
  }
  const auto& algorithms = recipe.algorithms;
  if (options.norm_mode != qat::NormMode::kFolded &&
      std::find(algorithms.begin(), algorithms.end(), "cle") != algorithms.end()) {
    throw Error(ErrorCode::kInvalidArgument,
                format("batch norm '{}' does not go with cle: it scales channels of folded layers",
                       recipe.training.batch_norm));
  }
  return refuse_overlap(*data.samples, *evaluation.data);
}

void train_model(const Recipe& recipe, const QuantizeOptions& options, int threads,
                 QuantizedModel& model, const TrainingHooks& hooks, ProgressSink& progress) {
  Stopwatch watch;
  const qat::TrainFunction train = load_trainer();
  const TrainingData data = open_training_data(recipe, model.prepared);
  Findings ignored;  // the final verification reports them
  const EvaluationTask evaluation =
      open_evaluation(recipe.evaluation, recipe.data, recipe.seed, model.original, ignored);

  const quant::EncodingTable encodings = without_biases(model.encodings, model.plan);
  qat::TrainRequest request;
  request.teacher = &model.prepared;
  const bool starts_rounded = !recipe.training.start.empty() || !model.rounding.empty();
  request.start = starts_rounded ? &model.weights_on_grid : &model.prepared;
  request.plan = &model.plan;
  request.encodings = &encodings;
  request.data = data.samples.get();
  request.inputs = data.inputs;
  request.labels = data.labels;
  request.options = resolve_training(recipe, !data.labels.empty(), evaluation.task.metric);
  if (request.options.norm_mode != qat::NormMode::kFolded) {
    request.norms = trainable_norms(model.passes, model.prepared, model.findings);
  }
  request.higher_is_better = evaluation.task.metric.higher_is_better();
  request.validate = [&](const graph::Graph& weights, const quant::EncodingTable& table) {
    QuantizedModel candidate;
    take_trained(weights, table, model.plan, options, candidate);
    return score(candidate.quantized, model.original, evaluation.task, threads, progress);
  };
  request.checkpoint = checkpoint_of(recipe);
  request.checkpoint_seconds = hooks.checkpoint_seconds;
  request.digest = digest_of(recipe, request);
  request.threads = threads;
  const std::string metric = evaluation.task.metric.name();
  request.on_epoch = [&](const qat::EpochRow& row) {
    if (hooks.on_epoch) hooks.on_epoch(row, metric);
  };
  request.progress = &progress;
  std::filesystem::create_directories(recipe.output);
  if (hooks.restart) remove_checkpoint(recipe);

  qat::TrainResult result = train(request);
  take_trained(result.weights, result.encodings, model.plan, options, model);
  update_weight_reports(model);
  append(model.findings, hooks.findings);
  append(model.findings, result.findings);
  model.training = TrainedModel{metric, request.options.loss, std::move(result)};
  model.seconds.emplace_back("train", watch.lap_seconds());
}

void remove_checkpoint(const Recipe& recipe) {
  std::error_code ignored;
  std::filesystem::remove(checkpoint_of(recipe), ignored);
}

report::TrainingSection training_section(const Recipe& recipe, const QuantizedModel& model) {
  report::TrainingSection section;
  if (!model.training) return section;
  const qat::TrainResult& result = model.training->result;
  section.metric = model.training->metric;
  section.loss = model.training->loss == qat::Loss::kCrossEntropy   ? "cross-entropy"
                 : model.training->loss == qat::Loss::kDistillation ? "distillation"
                                                                    : "both";
  section.optimizer = recipe.training.optimizer;
  section.epochs = recipe.training.epochs;
  section.best_epoch = result.best_epoch;
  section.parameters = result.parameters;
  section.ranges = result.ranges;
  section.resumed_step = result.resumed_step;
  section.stopped = result.stopped;
  for (const qat::EpochRow& row : result.curve) {
    section.curve.push_back({.epoch = row.epoch,
                             .steps = row.steps,
                             .loss = row.loss,
                             .value = row.value,
                             .learning_rate = row.learning_rate,
                             .samples_per_s = row.samples_per_s,
                             .seconds = row.seconds,
                             .is_best = row.is_best});
  }
  return section;
}

QatResult quantize_and_train(const Recipe& given, const TrainingHooks& given_hooks, int threads,
                             ProgressSink& progress) {
  Recipe recipe = given;
  recipe.training.enabled = true;
  TrainingHooks hooks = given_hooks;
  hooks.findings = check_training(recipe);
  recipe = with_training_data(recipe);
  StagedDirectory output(recipe.output);
  QuantizeJob job = run_quantize_job(recipe, output.path(), threads, progress, &hooks);
  write_reports(output.path(), "qat", job.report);
  output.commit();
  const bool is_time_limited = !job.report.training.stopped.empty();
  if (!is_time_limited) remove_checkpoint(recipe);
  return {std::move(job.result), std::move(job.report.training)};
}

}  // namespace hexquant::pipeline
