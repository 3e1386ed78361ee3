#include "pipeline/evaluation_task.h"

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "data/npy.h"
#include "data/selection.h"
#include "evaluate/external_metric.h"
#include "hexquant/error.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"

namespace hexquant::pipeline {
namespace {

/// Samples behind the numbers of a run that asked for no evaluation.
constexpr std::int64_t kQuickSamples = 8;

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
    selection.options = resolve_data(held_out(calibration, evaluation.data.samples), seed);
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

/// Elements of a per-sample file [N] that belong to the selected samples.
template <typename T>
std::vector<T> select_values(const std::string& path, const std::vector<T>& all,
                             const Selection& selection) {
  const std::vector<std::int64_t> rows =
      data::select_samples(static_cast<std::int64_t>(all.size()), selection.options);
  const auto count =
      static_cast<std::size_t>(selection.data->size() * selection.data->batch_size());
  if (rows.size() < count) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: values for {} of {} samples", path, rows.size(), count));
  }
  std::vector<T> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(all[static_cast<std::size_t>(rows[i])]);
  }
  return values;
}

void read_pairs(const EvaluationRecipe& evaluation, const std::vector<data::ModelInput>& inputs,
                Selection& selection, EvaluationTask& result) {
  if (!evaluation.labels.empty()) {
    result.task.scores =
        select_values(evaluation.labels, to_doubles(data::read_npy(evaluation.labels)), selection);
  }
  if (evaluation.data_b.empty()) return;  // check_task names what is missing
  data::DataOptions second = selection.options;
  second.sources = {evaluation.data_b};
  result.data_b = data::open_dataset(second, inputs);
  result.task.data_b = result.data_b.get();
}

evaluate::Metric choose_metric(const EvaluationRecipe& evaluation,
                               const data::DataOptions& options) {
  if (!evaluation.metric.empty()) return evaluate::parse_metric(evaluation.metric);
  const bool labelled = !evaluation.labels.empty() || data::has_labels(options);
  return {labelled ? evaluate::MetricKind::kTop1 : evaluate::MetricKind::kSqnr, {}};
}

}  // namespace

DataRecipe held_out(const DataRecipe& calibration, std::int64_t samples) {
  DataRecipe data = calibration;
  data.skip += calibration.samples;
  data.samples = samples;
  return data;
}

EvaluationTask open_evaluation(const EvaluationRecipe& evaluation, const DataRecipe& calibration,
                               std::uint64_t seed, const graph::Graph& graph, Findings& findings) {
  const std::vector<data::ModelInput> inputs = model_inputs(graph);
  Selection selection = select_data(evaluation, calibration, seed, inputs, findings);
  EvaluationTask result;
  evaluate::Task& task = result.task;
  if (evaluation.enabled) {
    task.metric = choose_metric(evaluation, selection.options);
    task.labels_file = evaluation.labels;
    if (task.metric.kind == evaluate::MetricKind::kSpearmanPairs) {
      read_pairs(evaluation, inputs, selection, result);
    } else if (task.metric.kind == evaluate::MetricKind::kPerplexity) {
      if (!evaluation.lengths.empty()) {
        task.lengths = select_values(evaluation.lengths,
                                     to_int64s(data::read_npy(evaluation.lengths)), selection);
      }
    } else if (!task.metric.is_external()) {
      if (!evaluation.labels.empty() || task.metric.is_rate()) {
        task.labels = data::read_labels(evaluation.labels, selection.options);
      }
    }
  }
  result.data = std::move(selection.data);
  task.data = result.data.get();
  evaluate::check_task(task);
  if (task.metric.kind == evaluate::MetricKind::kPlugin) {
    evaluate::check_plugin_metric(task.metric.program, task.time_limit_s, silent_progress());
  }
  return result;
}

}  // namespace hexquant::pipeline
