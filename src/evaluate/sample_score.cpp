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

SampleScore label_score(const Task& task, std::int64_t index, const TaskRows& output) {
  const std::int64_t label = task.labels[static_cast<std::size_t>(index)];
  try {
    SampleScore score;
    score.top1 = in_top_k(output.row(0), label, 1);
    score.top5 = in_top_k(output.row(0), label, 5);
    return score;
  } catch (const Error& error) {
    throw Error(error.code(), task.data->describe(index) + ": " + error.what());
  }
}

SampleScore token_score(const Task& task, std::int64_t index, const data::Sample& sample,
                        const TaskRows& output) {
  const TokenRow row = token_row(task, index, sample, output.rows);
  SampleScore score;
  score.predictions = row.predictions;
  try {
    for (std::int64_t t = 0; t < row.predictions; ++t) {
      score.nll +=
          negative_log_likelihood(output.row(t), row.tokens[static_cast<std::size_t>(t) + 1]);
    }
  } catch (const Error& error) {
    throw Error(error.code(), task.data->describe(index) + ": " + error.what());
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

std::span<const float> TaskRows::row(std::int64_t index) const {
  return values.data<float>().subspan(static_cast<std::size_t>(index * columns),
                                      static_cast<std::size_t>(columns));
}

TaskRows task_rows(const Task& task, const Tensor& output) {
  const Shape& shape = output.shape();
  TaskRows result;
  if (task.metric.kind == MetricKind::kPerplexity) {
    if (shape.size() < 2 || shape.back() == 0) {
      throw Error(ErrorCode::kInvalidModel,
                  "perplexity needs logits [1, positions, tokens] as first output, got " +
                      shape_text(shape));
    }
    result.columns = shape.back();
    result.rows = output.size() / shape.back();
  } else {
    if (task.scores_labels() && shape.size() > 1 && shape[0] != 1) {
      throw Error(ErrorCode::kInvalidModel, task.metric.name() +
                                                " needs one row of class scores for each sample "
                                                "as first output, got shape " +
                                                shape_text(shape));
    }
    result.columns = output.size();
  }
  result.values = as_float(output);
  return result;
}

TokenRow token_row(const Task& task, std::int64_t index, const data::Sample& sample,
                   std::int64_t rows) {
  const auto found = sample.find(task.token_input);
  if (found == sample.end() || found->second.size() != rows) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: perplexity needs one token for each of the {} rows of logits, input "
                       "'{}' has {}",
                       task.data->describe(index), rows, task.token_input,
                       found == sample.end() ? 0 : found->second.size()));
  }
  const std::int64_t length =
      task.lengths.empty() ? rows : task.lengths[static_cast<std::size_t>(index)];
  if (length < 0 || length > rows) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: length {} is outside 0..{}", task.data->describe(index), length, rows));
  }
  return {to_int64s(found->second), std::max<std::int64_t>(0, length - 1)};
}

SampleScore score_sample(const Task& task, std::int64_t index, const data::Sample& sample,
                         const TaskRows& output) {
  if (task.metric.kind == MetricKind::kPerplexity) return token_score(task, index, sample, output);
  if (task.scores_labels()) return label_score(task, index, output);
  return {};
}

RowAgreement compare_rows(const Task& task, std::int64_t index, const data::Sample& sample,
                          const TaskRows& reference, const TaskRows& other) {
  const MetricKind kind = task.metric.kind;
  if (kind == MetricKind::kSpearmanPairs || kind == MetricKind::kExternal) return {};
  if (reference.values.shape() != other.values.shape()) {
    throw Error(ErrorCode::kInvalidModel,
                format("first output has shape {}, the reference's has {}",
                       shape_text(other.values.shape()), shape_text(reference.values.shape())));
  }
  RowAgreement agreement;
  agreement.rows = kind == MetricKind::kPerplexity
                       ? token_row(task, index, sample, reference.rows).predictions
                       : 1;
  for (std::int64_t row = 0; row < agreement.rows; ++row) {
    if (same_argmax(reference.row(row), other.row(row))) ++agreement.agreeing;
    agreement.kl += softmax_kl(reference.row(row), other.row(row));
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
