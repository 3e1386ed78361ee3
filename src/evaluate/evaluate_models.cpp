#include "evaluate/evaluate_models.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "core/format.h"
#include "core/parallel.h"
#include "core/scratch_directory.h"
#include "evaluate/external_metric.h"
#include "evaluate/sample_score.h"
#include "evaluate/scoring.h"
#include "evaluate/session_choice.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

using Clock = std::chrono::steady_clock;
using Session = runtime::InferenceSession;
using runtime::ValueSpec;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct LoadedModel {
  std::string name;
  std::unique_ptr<Session> session;
  /// Index of this model's output that answers the reference's output i.
  std::vector<std::size_t> output_of;
  std::optional<std::size_t> on_cpu;  ///< index of the same model on the CPU
};

/// What one item of the data set contributes; merged in order at the end.
struct ItemRecord {
  std::vector<std::vector<SampleScore>>
      scores;                   ///< by model (reference first), by row of the batch
  std::vector<double> seconds;  ///< by model
  std::vector<std::vector<Difference>> differences;         ///< by candidate, by output
  std::vector<RowAgreement> agreements;                     ///< by candidate
  std::vector<std::vector<Difference>> device_differences;  ///< by candidate, by output
  std::vector<RowAgreement> device_agreements;              ///< by candidate
};

std::vector<std::size_t> match_outputs(const Session& reference, const Session& other,
                                       const std::string& name) {
  const std::vector<std::string> wanted = names_of(reference.outputs());
  const std::vector<std::string> found = names_of(other.outputs());
  std::vector<std::size_t> match;
  for (const std::string& output : wanted) {
    const auto at = std::find(found.begin(), found.end(), output);
    if (at != found.end()) match.push_back(static_cast<std::size_t>(at - found.begin()));
  }
  if (match.size() == wanted.size()) return match;
  if (found.size() != wanted.size()) {
    throw Error(ErrorCode::kInvalidModel,
                format("{}: outputs [{}] do not match the reference's [{}]", name,
                       join(found, ", "), join(wanted, ", ")));
  }
  match.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) match.push_back(i);
  return match;
}

void check_inputs(const Session& reference, const Session& other, const std::string& name) {
  const std::vector<std::string> known = names_of(reference.inputs());
  for (const ValueSpec& input : other.inputs()) {
    if (std::find(known.begin(), known.end(), input.name) != known.end()) continue;
    throw Error(ErrorCode::kInvalidModel, format("{}: input '{}' is none of the reference's [{}]",
                                                 name, input.name, join(known, ", ")));
  }
}

class Evaluation {
 public:
  Evaluation(const Model& reference, const std::vector<Model>& candidates, const Task& task,
             int threads, ProgressSink& progress)
      : task_(task), threads_(threads), progress_(progress) {
    check_task(task_);
    if (task_.metric.needs_reference() && candidates.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("metric {} compares models: give a reference and a second model",
                         task_.metric.name()));
    }
    load_all(reference, candidates);
    if (task_.metric.kind == MetricKind::kPerplexity && task_.token_input.empty()) {
      task_.token_input = find_token_input(models_.front().session->inputs());
    }
    output_ = find_scored_output(task_, models_.front().session->outputs());
    check_label_classes(task_, models_.front().session->outputs()[output_]);
  }

  EvaluationResult run() {
    const auto start = Clock::now();
    open_folders();
    records_.resize(static_cast<std::size_t>(task_.data->size()));
    {
      ProgressStage stage(progress_, "evaluate", task_.data->size());
      parallel_for(task_.data->size(), threads_, [&](std::int64_t i) {
        process(i);
        stage.step();
      });
    }
    EvaluationResult result = merge();
    result.seconds = seconds_since(start);
    return result;
  }

 private:
  /// Loading takes longer than a few inferences: the models are opened side by side.
  void load_all(const Model& reference, const std::vector<Model>& candidates) {
    std::vector<const Model*> all = {&reference};
    for (const Model& candidate : candidates) all.push_back(&candidate);
    std::vector<std::unique_ptr<Session>> sessions(all.size());
    parallel_for(static_cast<std::int64_t>(all.size()), threads_, [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i);
      sessions[at] = open_session(*all[at]);
    });
    for (std::size_t i = 0; i < all.size(); ++i) load(*all[i], std::move(sessions[i]));
  }

  void load(const Model& model, std::unique_ptr<Session> session) {
    models_.push_back({model.name, std::move(session), {}, model.on_cpu});
    LoadedModel& loaded = models_.back();
    HEXQUANT_CHECK(!model.on_cpu || *model.on_cpu + 1 < models_.size(), "on_cpu of " + model.name);
    check_inputs(*models_.front().session, *loaded.session, model.name);
    loaded.output_of = match_outputs(*models_.front().session, *loaded.session, model.name);
  }

  void open_folders() {
    if (!task_.metric.is_external()) return;
    scratch_ = std::make_unique<ScratchDirectory>();
    const auto outputs = names_of(models_.front().session->outputs());
    for (std::size_t m = 0; m < models_.size(); ++m) {
      folders_.emplace_back(scratch_->path() / format("model_{}", m), models_[m].name, outputs,
                            task_.data->size(), task_.data->batch_size());
    }
  }

  /// Outputs in the reference's order.
  std::vector<Tensor> infer(std::size_t model, const data::Sample& sample, std::int64_t index,
                            double& seconds) const {
    const auto start = Clock::now();
    std::vector<Tensor> outputs;
    try {
      outputs = models_[model].session->run(sample);
    } catch (const Error& error) {
      throw Error(error.code(), format("{}: {}: {}", models_[model].name,
                                       task_.data->describe(index), error.what()));
    }
    seconds += seconds_since(start);
    std::vector<Tensor> ordered;
    for (const std::size_t from : models_[model].output_of) ordered.push_back(outputs[from]);
    return ordered;
  }

  void process(std::int64_t index) {
    ItemRecord& record = records_[static_cast<std::size_t>(index)];
    record.scores.resize(models_.size());
    record.seconds.resize(models_.size());
    record.differences.assign(models_.size() - 1,
                              std::vector<Difference>(models_.front().session->outputs().size()));
    record.agreements.resize(models_.size() - 1);
    record.device_differences = record.differences;
    record.device_agreements.resize(models_.size() - 1);
    const data::Sample sample = task_.data->load(index);
    const std::vector<Tensor> first = compare_all(index, sample, record);
    if (task_.data_b == nullptr || task_.metric.kind != MetricKind::kSpearmanPairs) return;
    const std::vector<Tensor> second = compare_all(index, task_.data_b->load(index), record);
    for (std::size_t m = 0; m < models_.size(); ++m) {
      const TaskRows a = task_rows(task_, first[m]);
      const TaskRows b = task_rows(task_, second[m]);
      for (std::int64_t r = 0; r < a.samples; ++r) {
        record.scores[m][static_cast<std::size_t>(r)].similarity =
            cosine_similarity(a.row(r), b.row(r));
      }
    }
  }

  /// Runs all models on one sample, adds to the record, returns each model's scored output.
  std::vector<Tensor> compare_all(std::int64_t index, const data::Sample& sample,
                                  ItemRecord& record) const {
    std::vector<std::vector<Tensor>> outputs;
    std::vector<Tensor> scored;
    for (std::size_t m = 0; m < models_.size(); ++m) {
      outputs.push_back(infer(m, sample, index, record.seconds[m]));
      scored.push_back(outputs[m][output_]);
      const TaskRows rows = task_rows(task_, scored[m]);
      record.scores[m] = score_item(task_, index, sample, rows);
      write_outputs(m, index, outputs[m]);
      if (m == 0) continue;
      const auto agreement_with = [&](std::size_t other) {
        return compare_rows(task_, index, sample, task_rows(task_, scored[other]), rows);
      };
      compare_outputs(m, outputs[0], outputs[m], record.differences[m - 1]);
      record.agreements[m - 1] = agreement_with(0);
      if (const auto on_cpu = models_[m].on_cpu) {
        compare_outputs(m, outputs[*on_cpu], outputs[m], record.device_differences[m - 1]);
        record.device_agreements[m - 1] = agreement_with(*on_cpu);
      }
    }
    return scored;
  }

  void write_outputs(std::size_t model, std::int64_t index,
                     const std::vector<Tensor>& outputs) const {
    if (!folders_.empty()) folders_[model].write(index, outputs);
  }

  void compare_outputs(std::size_t model, const std::vector<Tensor>& reference,
                       const std::vector<Tensor>& outputs, std::vector<Difference>& into) const {
    for (std::size_t i = 0; i < reference.size(); ++i) {
      try {
        into[i].add(reference[i], outputs[i]);
      } catch (const Error& error) {
        throw Error(error.code(), format("{}: output '{}': {}", models_[model].name,
                                         models_.front().session->outputs()[i].name, error.what()));
      }
    }
  }

  EvaluationResult merge() {
    EvaluationResult result;
    result.metric = task_.metric.name();
    result.samples = task_.samples();
    result.reference = score(0);
    for (std::size_t m = 1; m < models_.size(); ++m) {
      result.candidates.push_back(compare(m, result.reference));
    }
    if (task_.metric.needs_reference()) {
      const bool is_cosine = task_.metric.kind == MetricKind::kCosine;
      result.reference.metrics["value"] = result.reference.metrics[task_.metric.name()] =
          is_cosine ? 1.0 : std::numeric_limits<double>::infinity();
    }
    return result;
  }

  ModelScore score(std::size_t model) {
    ModelScore result;
    result.model = models_[model].name;
    double seconds = 0.0;
    for (const ItemRecord& record : records_) seconds += record.seconds[model];
    const double elements = task_.metric.kind == MetricKind::kSpearmanPairs ? 2.0 : 1.0;
    result.ms_per_sample = 1e3 * seconds / (elements * static_cast<double>(task_.samples()));
    result.metrics = total_score(task_, samples_of(model));
    if (task_.metric.is_external()) {
      result.metrics["value"] = run_external_metric(task_, folders_[model].path(), progress_);
      result.metrics["exec"] = result.metrics["value"];
    } else if (!task_.metric.needs_reference()) {
      result.metrics["value"] = result.metrics.at(task_.metric.name());
    }
    return result;
  }

  CandidateScore compare(std::size_t model, const ModelScore& reference) {
    CandidateScore result;
    result.score = score(model);
    result.per_output = total_differences(model, &ItemRecord::differences);
    result.outputs = pooled(result.per_output);
    const RowAgreement rows = total_agreement(model, &ItemRecord::agreements);
    result.agreement = agreement_share(rows);
    result.kl = mean_kl(rows);
    if (models_[model].on_cpu) {
      const RowAgreement device = total_agreement(model, &ItemRecord::device_agreements);
      result.against_cpu = {agreement_share(device),
                            pooled(total_differences(model, &ItemRecord::device_differences))};
    }
    set_loss(task_, reference, result);
    if (task_.metric.is_rate()) {
      result.difference_interval = rate_interval(task_, samples_of(0), samples_of(model));
    }
    return result;
  }

  RowAgreement total_agreement(std::size_t model,
                               std::vector<RowAgreement> ItemRecord::*member) const {
    RowAgreement rows;
    for (const ItemRecord& record : records_) {
      const RowAgreement& one = (record.*member)[model - 1];
      rows.rows += one.rows;
      rows.agreeing += one.agreeing;
      rows.kl += one.kl;
    }
    return rows;
  }

  std::vector<TensorDifference> total_differences(
      std::size_t model, std::vector<std::vector<Difference>> ItemRecord::*member) const {
    std::vector<TensorDifference> totals;
    for (const ValueSpec& output : models_.front().session->outputs()) {
      totals.push_back({output.name, {}});
      for (const ItemRecord& record : records_) {
        totals.back().difference.merge((record.*member)[model - 1][totals.size() - 1]);
      }
    }
    return totals;
  }

  [[nodiscard]] Difference pooled(const std::vector<TensorDifference>& totals) const {
    std::vector<Difference> differences;
    for (const TensorDifference& total : totals) differences.push_back(total.difference);
    return pool_outputs(models_.front().session->outputs(), differences);
  }

  [[nodiscard]] std::vector<SampleScore> samples_of(std::size_t model) const {
    std::vector<SampleScore> samples;
    for (const ItemRecord& record : records_) {
      samples.insert(samples.end(), record.scores[model].begin(), record.scores[model].end());
    }
    return samples;
  }

  Task task_;
  int threads_;
  ProgressSink& progress_;
  std::vector<LoadedModel> models_;
  std::size_t output_ = 0;  ///< of the reference, the one that is scored
  std::vector<ItemRecord> records_;
  std::unique_ptr<ScratchDirectory> scratch_;
  std::vector<OutputFolder> folders_;
};

}  // namespace

EvaluationResult evaluate_models(const Model& reference, const std::vector<Model>& candidates,
                                 const Task& task, int threads, ProgressSink& progress) {
  return Evaluation(reference, candidates, task, threads, progress).run();
}

}  // namespace hexquant::evaluate
