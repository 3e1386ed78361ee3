#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "evaluate/evaluate_models.h"
#include "evaluate/task.h"
#include "hexquant/progress.h"
#include "runtime/inference_session.h"

namespace hexquant::evaluate {

/// Scores models whose outputs come run by run from elsewhere (from the rest of a cut model, say)
/// against those of a reference model, as evaluate_models does.
///
/// A run is one inference: one for each item of the data; for spearman-pairs the items of the
/// second data set follow those of the first. The reference's outputs are kept.
class OutputScorer {
 public:
  /// @param inputs,outputs  of the reference model
  /// @throws Error(kInvalidArgument / kInvalidData) for a task that lacks something or does not fit
  OutputScorer(Task task, const std::vector<runtime::ValueSpec>& inputs,
               std::vector<runtime::ValueSpec> outputs);
  ~OutputScorer();

  [[nodiscard]] const Task& task() const noexcept { return task_; }
  [[nodiscard]] std::int64_t runs() const noexcept { return runs_; }
  [[nodiscard]] data::Sample load(std::int64_t run) const;
  /// "cat.jpg", "images.npy[17]"
  [[nodiscard]] std::string describe(std::int64_t run) const;

  /// Takes the reference's outputs of a run; each run once, from several threads at once.
  /// @throws Error naming the run
  void add_reference(std::int64_t run, const data::Sample& feeds, std::vector<Tensor> outputs);
  /// Scores the reference. @pre every run was added
  void finish_reference(ProgressSink& progress);
  [[nodiscard]] const ModelScore& reference() const noexcept { return reference_score_; }
  [[nodiscard]] const std::vector<Tensor>& reference_outputs(std::int64_t run) const;

  /// What is known of one candidate so far.
  class Sheet;
  /// @param name  shown to metric programs
  [[nodiscard]] std::unique_ptr<Sheet> open(const std::string& name) const;
  /// Takes a candidate's outputs of a run, in the reference's order; each run once, from several
  /// threads at once. @throws Error naming the run
  void add(Sheet& sheet, std::int64_t run, const std::vector<Tensor>& outputs) const;
  /// @throws Error(kInvalidData) when the metric's program fails; Error(kCancelled)
  [[nodiscard]] CandidateScore close(Sheet& sheet, ProgressSink& progress) const;

 private:
  struct Record;
  struct Reference;
  void score_run(Sheet& sheet, std::int64_t run, const std::vector<Tensor>& outputs) const;
  [[nodiscard]] ModelScore total(const Sheet& sheet, ProgressSink& progress) const;

  Task task_;
  std::vector<runtime::ValueSpec> outputs_;
  std::size_t scored_ = 0;
  std::int64_t runs_ = 0;
  std::vector<Reference> reference_;
  std::unique_ptr<Sheet> reference_sheet_;
  ModelScore reference_score_;
};

/// Opaque: only its scorer reads it.
class OutputScorer::Sheet {
 public:
  ~Sheet();
  Sheet(const Sheet&) = delete;
  Sheet& operator=(const Sheet&) = delete;

 private:
  friend class OutputScorer;
  Sheet(std::string name, std::int64_t runs);
  struct Folder;
  std::string name_;
  std::vector<Record> records_;
  std::unique_ptr<Folder> folder_;
};

}  // namespace hexquant::evaluate
