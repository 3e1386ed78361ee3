#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "evaluate/evaluate_models.h"
#include "evaluate/sample_score.h"
#include "evaluate/task.h"
#include "runtime/inference_session.h"

// What scoring decides from a model's inputs and outputs, and how sums become the numbers shown.
namespace hexquant::evaluate {

[[nodiscard]] std::vector<std::string> names_of(const std::vector<runtime::ValueSpec>& specs);

/// First int64 input in the model's order: the tokens of a language model.
/// @throws Error(kInvalidArgument) when there is none
[[nodiscard]] std::string find_token_input(const std::vector<runtime::ValueSpec>& inputs);

/// Index of the output that the task scores: the one it names, else the first floating one of the
/// rank that its metric reads, else the first.
/// @throws Error(kInvalidArgument) when the named one does not exist
[[nodiscard]] std::size_t find_scored_output(const Task& task,
                                             const std::vector<runtime::ValueSpec>& outputs);

/// Labels against the number of classes, where the scored output declares it: before hours of work.
/// @throws Error(kInvalidData) naming the sample and its label
void check_label_classes(const Task& task, const runtime::ValueSpec& output);

/// Difference of the floating-point outputs together, or of all when none is.
/// @param differences  one for each output
[[nodiscard]] Difference pool_outputs(const std::vector<runtime::ValueSpec>& outputs,
                                      const std::vector<Difference>& differences);

/// Share of agreeing rows, and their mean divergence in nats; NaN without rows.
[[nodiscard]] double agreement_share(const RowAgreement& rows);
[[nodiscard]] double mean_kl(const RowAgreement& rows);

/// 95 % interval of other - reference for a rate, over the same samples.
[[nodiscard]] Interval rate_interval(const Task& task, const std::vector<SampleScore>& reference,
                                     const std::vector<SampleScore>& other);

/// Fills "value" and the loss of a candidate whose other metrics and outputs are known.
void set_loss(const Task& task, const ModelScore& reference, CandidateScore& result);

}  // namespace hexquant::evaluate
