#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "evaluate/task.h"
#include "hexquant/tensor.h"

// What one sample says about one model, and how samples add up to a score.
namespace hexquant::evaluate {

/// Score of one model on one sample; which members count depends on the task.
struct SampleScore {
  bool top1 = false;
  bool top5 = false;
  double nll = 0.0;              ///< sum over the predictions of a row of tokens
  std::int64_t predictions = 0;  ///< number of them
  double similarity = 0.0;       ///< cosine of the two outputs of a pair
};

/// Comparison of the scored rows of two models on one item of the data set.
struct RowAgreement {
  std::int64_t rows = 0;
  std::int64_t agreeing = 0;  ///< rows with the same argmax
  double kl = 0.0;            ///< sum over rows of softmax_kl
};

/// The tensor a task looks at: the scored output of a model for one item of the data set, as float
/// rows.
///
/// top1, top5, cosine, sqnr, pairs: one row for each sample, all elements of its output;
/// perplexity: one row for each position of each sample, of the size of the last dimension.
struct TaskRows {
  Tensor values;  ///< float32
  std::int64_t samples = 1;
  std::int64_t rows_per_sample = 1;
  std::int64_t columns = 0;

  [[nodiscard]] std::span<const float> row(std::int64_t sample, std::int64_t index = 0) const;
};

/// @throws Error(kInvalidModel) when the output cannot be read as the task wants it
[[nodiscard]] TaskRows task_rows(const Task& task, const Tensor& output);

/// Tokens of a sample that are predictions: row t predicts token t+1, t in 0..length-2.
struct TokenRow {
  std::vector<std::int64_t> tokens;
  std::int64_t predictions = 0;
};

/// Tokens of each sample of an item, from the task's token_input.
/// @param positions  rows of logits that each sample has: it must have as many tokens
/// @throws Error(kInvalidData) when it has not, or a sample's length exceeds the row
[[nodiscard]] std::vector<TokenRow> token_rows(const Task& task, std::int64_t item,
                                               const data::Sample& feeds, std::int64_t positions);

/// Scores of the samples of an item, for every task but the pairs. Errors name the item.
[[nodiscard]] std::vector<SampleScore> score_item(const Task& task, std::int64_t item,
                                                  const data::Sample& feeds,
                                                  const TaskRows& output);

/// @return no rows when an argmax of this task's output has no meaning (pairs, external programs)
/// @throws Error(kInvalidModel) when the two outputs differ in shape
[[nodiscard]] RowAgreement compare_rows(const Task& task, std::int64_t item,
                                        const data::Sample& feeds, const TaskRows& reference,
                                        const TaskRows& other);

/// The metrics of a model over all samples, by name: "top1" and "top5" (fractions), "perplexity"
/// (exp of the mean nll over all predictions) and "nll", or "spearman-pairs". Empty for tasks that
/// are no sum over samples.
[[nodiscard]] std::map<std::string, double> total_score(const Task& task,
                                                        const std::vector<SampleScore>& samples);

}  // namespace hexquant::evaluate
