#include "evaluate/output_scorer.h"

#include <limits>
#include <utility>

#include "core/format.h"
#include "core/scratch_directory.h"
#include "evaluate/external_metric.h"
#include "evaluate/sample_score.h"
#include "evaluate/scoring.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {

/// What one run contributes; merged in order at the end.
struct OutputScorer::Record {
  std::vector<SampleScore> scores;      ///< rows of the batch
  std::vector<Difference> differences;  ///< by output
  RowAgreement agreement;
  Tensor embedding;  ///< spearman-pairs: the scored output
};

/// What is kept of a run to compare candidates with.
struct OutputScorer::Reference {
  data::Sample tokens;  ///< perplexity: the input that holds the tokens
  std::vector<Tensor> outputs;
};

/// Files for a metric program, removed with the sheet.
struct OutputScorer::Sheet::Folder {
  ScratchDirectory scratch;
  OutputFolder files;

  Folder(const std::string& model, const std::vector<std::string>& outputs, const Task& task)
      : files(scratch.path() / "outputs", model, outputs, task.data->size(),
              task.data->batch_size()) {}
};

OutputScorer::Sheet::Sheet(std::string name, std::int64_t runs)
    : name_(std::move(name)), records_(static_cast<std::size_t>(runs)) {}
OutputScorer::Sheet::~Sheet() = default;
OutputScorer::~OutputScorer() = default;

OutputScorer::OutputScorer(Task task, const std::vector<runtime::ValueSpec>& inputs,
                           std::vector<runtime::ValueSpec> outputs)
    : task_(std::move(task)), outputs_(std::move(outputs)) {
  check_task(task_);
  if (task_.metric.kind == MetricKind::kPerplexity && task_.token_input.empty()) {
    task_.token_input = find_token_input(inputs);
  }
  scored_ = find_scored_output(task_, outputs_);
  check_label_classes(task_, outputs_[scored_]);
  runs_ = task_.data->size();
  if (task_.metric.kind == MetricKind::kSpearmanPairs) runs_ += task_.data_b->size();
  reference_.resize(static_cast<std::size_t>(runs_));
  reference_sheet_ = open("float");
}

data::Sample OutputScorer::load(std::int64_t run) const {
  const std::int64_t items = task_.data->size();
  return run < items ? task_.data->load(run) : task_.data_b->load(run - items);
}

std::string OutputScorer::describe(std::int64_t run) const {
  const std::int64_t items = task_.data->size();
  return run < items ? task_.data->describe(run) : task_.data_b->describe(run - items);
}

void OutputScorer::add_reference(std::int64_t run, const data::Sample& feeds,
                                 std::vector<Tensor> outputs) {
  Reference& reference = reference_[static_cast<std::size_t>(run)];
  const auto tokens = feeds.find(task_.token_input);
  if (tokens != feeds.end()) reference.tokens.insert(*tokens);
  reference.outputs = std::move(outputs);
  score_run(*reference_sheet_, run, reference.outputs);
}

void OutputScorer::finish_reference(ProgressSink& progress) {
  reference_score_ = total(*reference_sheet_, progress);
  if (!task_.metric.needs_reference()) return;
  const bool is_cosine = task_.metric.kind == MetricKind::kCosine;
  reference_score_.metrics["value"] = reference_score_.metrics[task_.metric.name()] =
      is_cosine ? 1.0 : std::numeric_limits<double>::infinity();
}

const std::vector<Tensor>& OutputScorer::reference_outputs(std::int64_t run) const {
  return reference_.at(static_cast<std::size_t>(run)).outputs;
}

std::unique_ptr<OutputScorer::Sheet> OutputScorer::open(const std::string& name) const {
  std::unique_ptr<Sheet> sheet(new Sheet(name, runs_));
  if (task_.metric.is_external()) {
    sheet->folder_ = std::make_unique<Sheet::Folder>(name, names_of(outputs_), task_);
  }
  return sheet;
}

void OutputScorer::add(Sheet& sheet, std::int64_t run, const std::vector<Tensor>& outputs) const {
  try {
    score_run(sheet, run, outputs);
  } catch (const Error& error) {
    throw Error(error.code(), format("{}: {}: {}", sheet.name_, describe(run), error.what()));
  }
}

void OutputScorer::score_run(Sheet& sheet, std::int64_t run,
                             const std::vector<Tensor>& outputs) const {
  HEXQUANT_CHECK(outputs.size() == outputs_.size(), "outputs of " + sheet.name_);
  const Reference& reference = reference_[static_cast<std::size_t>(run)];
  Record& record = sheet.records_[static_cast<std::size_t>(run)];
  const TaskRows rows = task_rows(task_, outputs[scored_]);
  const bool is_pair = task_.metric.kind == MetricKind::kSpearmanPairs;
  record.scores = score_item(task_, run, reference.tokens, rows);
  if (is_pair) record.embedding = outputs[scored_];
  record.differences.resize(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    record.differences[i].add(reference.outputs[i], outputs[i]);
  }
  record.agreement = compare_rows(task_, run, reference.tokens,
                                  task_rows(task_, reference.outputs[scored_]), rows);
  if (sheet.folder_) sheet.folder_->files.write(run, outputs);
}

ModelScore OutputScorer::total(const Sheet& sheet, ProgressSink& progress) const {
  ModelScore result;
  result.model = sheet.name_;
  std::vector<SampleScore> samples;
  for (std::int64_t run = 0; run < task_.data->size(); ++run) {
    const Record& record = sheet.records_[static_cast<std::size_t>(run)];
    std::vector<SampleScore> scores = record.scores;
    if (task_.metric.kind == MetricKind::kSpearmanPairs) {
      const auto second = static_cast<std::size_t>(run + task_.data->size());
      const TaskRows a = task_rows(task_, record.embedding);
      const TaskRows b = task_rows(task_, sheet.records_[second].embedding);
      for (std::int64_t r = 0; r < a.samples; ++r) {
        scores[static_cast<std::size_t>(r)].similarity = cosine_similarity(a.row(r), b.row(r));
      }
    }
    samples.insert(samples.end(), scores.begin(), scores.end());
  }
  result.metrics = total_score(task_, samples);
  if (sheet.folder_) {
    result.metrics["value"] = run_external_metric(task_, sheet.folder_->files.path(), progress);
    result.metrics["exec"] = result.metrics["value"];
  } else if (!task_.metric.needs_reference()) {
    result.metrics["value"] = result.metrics.at(task_.metric.name());
  }
  return result;
}

CandidateScore OutputScorer::close(Sheet& sheet, ProgressSink& progress) const {
  CandidateScore result;
  result.score = total(sheet, progress);
  std::vector<Difference> differences(outputs_.size());
  RowAgreement rows;
  for (const Record& record : sheet.records_) {
    for (std::size_t i = 0; i < differences.size(); ++i) {
      differences[i].merge(record.differences[i]);
    }
    rows.rows += record.agreement.rows;
    rows.agreeing += record.agreement.agreeing;
    rows.kl += record.agreement.kl;
  }
  for (std::size_t i = 0; i < differences.size(); ++i) {
    result.per_output.push_back({outputs_[i].name, differences[i]});
  }
  result.outputs = pool_outputs(outputs_, differences);
  result.agreement = agreement_share(rows);
  result.kl = mean_kl(rows);
  set_loss(task_, reference_score_, result);
  if (task_.metric.is_rate()) {
    const auto samples_of = [](const Sheet& one) {
      std::vector<SampleScore> samples;
      for (const Record& record : one.records_) {
        samples.insert(samples.end(), record.scores.begin(), record.scores.end());
      }
      return samples;
    };
    result.difference_interval =
        rate_interval(task_, samples_of(*reference_sheet_), samples_of(sheet));
  }
  return result;
}

}  // namespace hexquant::evaluate
