#include "evaluate/sample_score.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"
#include "evaluate/metrics.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

Tensor as_float(const Tensor& tensor) {
  if (tensor.dtype() == DType::kFloat32) return tensor;
  const std::vector<double> wide = to_doubles(tensor);
  Tensor narrow(DType::kFloat32, tensor.shape());
  std::transform(wide.begin(), wide.end(), narrow.mutable_data<float>().begin(),
                 [](double x) { return static_cast<float>(x); });
  return narrow;
}

SampleScore label_score(const Task& task, std::int64_t sample, std::span<const float> row) {
  const std::int64_t label = task.labels[static_cast<std::size_t>(sample)];
  SampleScore score;
  score.top1 = in_top_k(row, label, 1);
  score.top5 = in_top_k(row, label, 5);
  return score;
}

SampleScore token_score(const TokenRow& row, std::int64_t sample, const TaskRows& output) {
  SampleScore score;
  score.predictions = row.predictions;
  for (std::int64_t t = 0; t < row.predictions; ++t) {
    score.nll +=
        negative_log_likelihood(output.row(sample, t), row.tokens[static_cast<std::size_t>(t) + 1]);
  }
  return score;
}

double share(std::int64_t part, std::size_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

std::map<std::string, double> token_total(const std::vector<SampleScore>& samples) {
  double nll = 0.0;
  std::int64_t predictions = 0;
  for (const SampleScore& sample : samples) {
    nll += sample.nll;
    predictions += sample.predictions;
  }
  if (predictions == 0) {
    throw Error(ErrorCode::kInvalidData, "perplexity: no row has two tokens or more");
  }
  const double mean = nll / static_cast<double>(predictions);
  return {{"perplexity", std::exp(mean)}, {"nll", mean}};
}

}  // namespace

std::span<const float> TaskRows::row(std::int64_t sample, std::int64_t index) const {
  const std::int64_t first = (sample * rows_per_sample + index) * columns;
  return values.data<float>().subspan(static_cast<std::size_t>(first),
                                      static_cast<std::size_t>(columns));
}

TaskRows task_rows(const Task& task, const Tensor& output) {
  const Shape& shape = output.shape();
  const std::int64_t batch = task.data->batch_size();
  const bool has_batch =
      batch == 1 ? shape.size() < 2 || shape[0] == 1 : !shape.empty() && shape[0] == batch;
  TaskRows result;
  if (task.metric.kind == MetricKind::kPerplexity) {
    if (shape.size() < 2 || output.empty() || output.size() % (batch * shape.back()) != 0) {
      throw Error(
          ErrorCode::kInvalidModel,
          "perplexity needs logits [1, positions, tokens], got an output " + shape_text(shape));
    }
    result.columns = shape.back();
    result.rows_per_sample = output.size() / (batch * shape.back());
  } else {
    const bool needs_batch = task.scores_labels() || task.metric.kind == MetricKind::kSpearmanPairs;
    if (needs_batch && !has_batch) {
      throw Error(ErrorCode::kInvalidModel,
                  format("{} needs one row for each of {} samples, got an output {}",
                         task.metric.name(), batch, shape_text(shape)));
    }
    result.columns = has_batch ? output.size() / batch : output.size();
  }
  result.samples = has_batch || result.rows_per_sample > 1 ? batch : 1;
  result.values = as_float(output);
  return result;
}

std::vector<TokenRow> token_rows(const Task& task, std::int64_t item, const data::Sample& feeds,
                                 std::int64_t positions) {
  const std::int64_t batch = task.data->batch_size();
  const auto found = feeds.find(task.token_input);
  const std::int64_t given = found == feeds.end() ? 0 : found->second.size();
  if (given != positions * batch) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: perplexity needs one token for each of the {} rows of logits, input "
                       "'{}' has {}",
                       task.data->describe(item), positions * batch, task.token_input, given));
  }
  const std::vector<std::int64_t> tokens = to_int64s(found->second);
  std::vector<TokenRow> rows;
  for (std::int64_t r = 0; r < batch; ++r) {
    const std::int64_t length =
        task.lengths.empty() ? positions : task.lengths[static_cast<std::size_t>(item * batch + r)];
    if (length < 0 || length > positions) {
      throw Error(ErrorCode::kInvalidData, format("{}: length {} is outside 0..{}",
                                                  task.data->describe(item), length, positions));
    }
    const auto first = tokens.begin() + r * positions;
    rows.push_back({{first, first + positions}, std::max<std::int64_t>(0, length - 1)});
  }
  return rows;
}

std::vector<SampleScore> score_item(const Task& task, std::int64_t item, const data::Sample& feeds,
                                    const TaskRows& output) {
  const std::int64_t batch = task.data->batch_size();
  std::vector<SampleScore> scores(static_cast<std::size_t>(batch));
  std::vector<TokenRow> tokens;
  if (task.metric.kind == MetricKind::kPerplexity) {
    tokens = token_rows(task, item, feeds, output.rows_per_sample);
  } else if (!task.scores_labels()) {
    return scores;
  }
  try {
    for (std::int64_t r = 0; r < batch; ++r) {
      const auto at = static_cast<std::size_t>(r);
      scores[at] = tokens.empty() ? label_score(task, item * batch + r, output.row(r))
                                  : token_score(tokens[at], r, output);
    }
  } catch (const Error& error) {
    throw Error(error.code(), task.data->describe(item) + ": " + error.what());
  }
  return scores;
}

RowAgreement compare_rows(const Task& task, std::int64_t item, const data::Sample& feeds,
                          const TaskRows& reference, const TaskRows& other) {
  if (task.metric.kind == MetricKind::kSpearmanPairs || task.metric.is_external()) return {};
  if (reference.values.shape() != other.values.shape()) {
    throw Error(ErrorCode::kInvalidModel,
                format("scored output has shape {}, the reference's has {}",
                       shape_text(other.values.shape()), shape_text(reference.values.shape())));
  }
  std::vector<std::int64_t> rows(static_cast<std::size_t>(reference.samples), 1);
  if (task.metric.kind == MetricKind::kPerplexity) {
    const auto tokens = token_rows(task, item, feeds, reference.rows_per_sample);
    for (std::size_t r = 0; r < rows.size(); ++r) rows[r] = tokens[r].predictions;
  }
  RowAgreement agreement;
  for (std::int64_t sample = 0; sample < reference.samples; ++sample) {
    const std::int64_t count = rows[static_cast<std::size_t>(sample)];
    agreement.rows += count;
    for (std::int64_t t = 0; t < count; ++t) {
      const auto expected = reference.row(sample, t);
      const auto found = other.row(sample, t);
      if (same_argmax(expected, found)) ++agreement.agreeing;
      agreement.kl += softmax_kl(expected, found);
    }
  }
  return agreement;
}

std::map<std::string, double> total_score(const Task& task,
                                          const std::vector<SampleScore>& samples) {
  if (task.metric.kind == MetricKind::kPerplexity) return token_total(samples);
  if (task.metric.kind == MetricKind::kSpearmanPairs) {
    std::vector<double> similarities;
    for (const SampleScore& sample : samples) similarities.push_back(sample.similarity);
    return {{"spearman-pairs", spearman(similarities, task.scores)}};
  }
  if (!task.scores_labels()) return {};
  const auto top1 = std::count_if(samples.begin(), samples.end(), [](auto& s) { return s.top1; });
  const auto top5 = std::count_if(samples.begin(), samples.end(), [](auto& s) { return s.top5; });
  return {{"top1", share(top1, samples.size())}, {"top5", share(top5, samples.size())}};
}

}  // namespace hexquant::evaluate
