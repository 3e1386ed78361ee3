#include "pipeline/evaluation_task.h"

#include <cmath>
#include <utility>

#include "core/format.h"
#include "data/npy.h"
#include "hexquant/error.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"

namespace hexquant::pipeline {
namespace {

/// Samples behind the numbers of a run that asked for no evaluation.
constexpr std::int64_t kQuickSamples = 16;

/// Rows of a data source that scoring uses when it has none of its own: those after the calibrated
/// ones, as calibration on the scored samples flatters the result.
data::DataOptions held_out(const DataRecipe& calibration, std::int64_t samples,
                           std::uint64_t seed) {
  data::DataOptions options = resolve_data(calibration, seed);
  options.skip += calibration.samples;
  options.samples = samples;
  options.sampling = data::Sampling::kFirst;
  return options;
}

struct Selection {
  data::DataOptions options;
  std::unique_ptr<data::Dataset> data;
};

Selection calibrated_samples(const DataRecipe& calibration, std::int64_t samples,
                             std::uint64_t seed, const std::vector<data::ModelInput>& inputs) {
  Selection selection;
  selection.options = resolve_data(calibration, seed);
  if (samples > 0) selection.options.samples = samples;
  selection.data = data::open_dataset(selection.options, inputs);
  return selection;
}

Selection select_data(const EvaluationRecipe& evaluation, const DataRecipe& calibration,
                      std::uint64_t seed, const std::vector<data::ModelInput>& inputs,
                      Findings& findings) {
  if (!evaluation.enabled) {
    const std::int64_t samples =
        calibration.samples == 0 ? kQuickSamples : std::min(kQuickSamples, calibration.samples);
    return calibrated_samples(calibration, samples, seed, inputs);
  }
  if (!evaluation.data.sources.empty()) {
    Selection selection;
    selection.options = resolve_data(evaluation.data, seed);
    if (selection.options.preprocess.empty()) {
      selection.options.preprocess = calibration.preprocess;
    }
    selection.options.native_input_files |= calibration.native_input_files;
    selection.data = data::open_dataset(selection.options, inputs);
    return selection;
  }
  if (calibration.samples > 0 && calibration.sampling == "first") {
    Selection selection;
    selection.options = held_out(calibration, evaluation.data.samples, seed);
    try {
      selection.data = data::open_dataset(selection.options, inputs);
      return selection;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidData) throw;  // fewer samples than were skipped
    }
  }
  findings.push_back({"evaluated-on-calibration-data", Severity::kWarning,
                      calibration.sources.front(),
                      "the scored samples were used for calibration too",
                      "give other samples with --eval-data, or fewer with --samples"});
  return calibrated_samples(calibration, evaluation.data.samples, seed, inputs);
}

std::vector<std::int64_t> read_integers(const std::string& path, std::int64_t count) {
  if (path.empty()) return {};
  std::vector<std::int64_t> values = to_int64s(data::read_npy(path));
  if (static_cast<std::int64_t>(values.size()) < count) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: {} values, expected at least {}", path, values.size(), count));
  }
  values.resize(static_cast<std::size_t>(count));
  return values;
}

std::vector<double> read_scores(const std::string& path, std::int64_t count) {
  if (path.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "metric spearman-pairs: no scores given (--labels scores.npy)");
  }
  std::vector<double> values = to_doubles(data::read_npy(path));
  if (static_cast<std::int64_t>(values.size()) < count) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: {} scores, expected at least {}", path, values.size(), count));
  }
  values.resize(static_cast<std::size_t>(count));
  return values;
}

evaluate::Metric choose_metric(const EvaluationRecipe& evaluation) {
  if (!evaluation.metric.empty()) return evaluate::parse_metric(evaluation.metric);
  if (!evaluation.enabled || evaluation.labels.empty()) return {evaluate::MetricKind::kSqnr, {}};
  return {evaluate::MetricKind::kTop1, {}};
}

}  // namespace

EvaluationTask open_evaluation(const EvaluationRecipe& evaluation, const DataRecipe& calibration,
                               std::uint64_t seed, const graph::Graph& graph, Findings& findings) {
  const std::vector<data::ModelInput> inputs = model_inputs(graph);
  Selection selection = select_data(evaluation, calibration, seed, inputs, findings);
  EvaluationTask result;
  result.data = std::move(selection.data);
  result.task.data = result.data.get();
  if (!evaluation.enabled) return result;

  evaluate::Task& task = result.task;
  task.metric = choose_metric(evaluation);
  task.labels_file = evaluation.labels;
  const std::int64_t count = result.data->size();
  switch (task.metric.kind) {
    case evaluate::MetricKind::kSpearmanPairs: {
      task.scores = read_scores(evaluation.labels, selection.options.skip + count);
      task.scores.erase(task.scores.begin(), task.scores.begin() + selection.options.skip);
      selection.options.sources = {evaluation.data_b};
      if (evaluation.data_b.empty()) break;  // check_task names what is missing
      result.data_b = data::open_dataset(selection.options, inputs);
      task.data_b = result.data_b.get();
      break;
    }
    case evaluate::MetricKind::kPerplexity: {
      task.token_input = graph.inputs().front();
      task.lengths = read_integers(evaluation.lengths, selection.options.skip + count);
      if (!task.lengths.empty()) {
        task.lengths.erase(task.lengths.begin(), task.lengths.begin() + selection.options.skip);
      }
      break;
    }
    case evaluate::MetricKind::kExternal:
      break;
    default:
      if (!evaluation.labels.empty() || task.metric.is_rate()) {
        task.labels = data::read_labels(evaluation.labels, selection.options);
      }
  }
  evaluate::check_task(task);
  return result;
}

}  // namespace hexquant::pipeline
