#include "evaluate/scoring.h"

#include <algorithm>
#include <limits>

#include "core/decibel.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

using runtime::ValueSpec;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// True for [N, C], [C] and [N, C, 1, 1]: one row for each sample.
bool is_row(const ValueSpec& spec) {
  std::size_t wide = 0;
  for (std::size_t i = 1; i < spec.shape.size(); ++i) {
    if (spec.shape[i].value != 1) ++wide;
  }
  return wide <= 1;
}

}  // namespace

std::vector<std::string> names_of(const std::vector<ValueSpec>& specs) {
  std::vector<std::string> names;
  for (const ValueSpec& spec : specs) names.push_back(spec.name);
  return names;
}

std::string find_token_input(const std::vector<ValueSpec>& inputs) {
  for (const ValueSpec& input : inputs) {
    if (input.dtype == DType::kInt64) return input.name;
  }
  throw Error(ErrorCode::kInvalidArgument,
              "metric perplexity needs a model with an int64 input of tokens");
}

std::size_t find_scored_output(const Task& task, const std::vector<ValueSpec>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool fits = task.output.empty()
                          ? is_floating(outputs[i].dtype) &&
                                (task.metric.kind == MetricKind::kPerplexity) != is_row(outputs[i])
                          : outputs[i].name == task.output;
    if (fits) return i;
  }
  if (task.output.empty()) return 0;
  throw Error(ErrorCode::kInvalidArgument, format("the model has no output '{}', only [{}]",
                                                  task.output, join(names_of(outputs), ", ")));
}

void check_label_classes(const Task& task, const ValueSpec& output) {
  if (!task.scores_labels()) return;
  std::int64_t classes = 1;
  const std::vector<graph::Dim>& shape = output.shape;
  for (std::size_t i = shape.size() == 1 ? 0 : 1; i < shape.size(); ++i) {
    if (!shape[i].is_fixed()) return;
    classes *= shape[i].value;
  }
  for (std::size_t i = 0; i < task.labels.size(); ++i) {
    if (task.labels[i] >= 0 && task.labels[i] < classes) continue;
    const auto item = static_cast<std::int64_t>(i) / task.data->batch_size();
    throw Error(ErrorCode::kInvalidData,
                format("{}: label {} is outside the model's {} classes (0..{})",
                       task.data->describe(item), task.labels[i], classes, classes - 1));
  }
}

Difference pool_outputs(const std::vector<ValueSpec>& outputs,
                        const std::vector<Difference>& differences) {
  const bool any_floating = std::any_of(outputs.begin(), outputs.end(),
                                        [](const auto& spec) { return is_floating(spec.dtype); });
  Difference sum;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!any_floating || is_floating(outputs[i].dtype)) sum.merge(differences[i]);
  }
  return sum;
}

double agreement_share(const RowAgreement& rows) {
  if (rows.rows == 0) return kNan;
  return static_cast<double>(rows.agreeing) / static_cast<double>(rows.rows);
}

double mean_kl(const RowAgreement& rows) {
  return rows.rows == 0 ? kNan : rows.kl / static_cast<double>(rows.rows);
}

Interval rate_interval(const Task& task, const std::vector<SampleScore>& reference,
                       const std::vector<SampleScore>& other) {
  const auto right = [&](const SampleScore& score) {
    return task.metric.kind == MetricKind::kTop5 ? score.top5 : score.top1;
  };
  std::int64_t gained = 0;
  std::int64_t lost = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const bool before = right(reference[i]);
    const bool after = right(other[i]);
    if (after && !before) ++gained;
    if (before && !after) ++lost;
  }
  return paired_interval(gained, lost, task.samples());
}

void set_loss(const Task& task, const ModelScore& reference, CandidateScore& result) {
  std::map<std::string, double>& metrics = result.score.metrics;
  if (task.metric.kind == MetricKind::kSqnr) {
    metrics["value"] = metrics["sqnr"] = result.outputs.sqnr_db();
    // 0 for equal outputs; all that is asked of an SQNR is asked of its noise.
    result.loss = noise_ratio(result.outputs.sqnr_db());
  } else if (task.metric.kind == MetricKind::kCosine) {
    metrics["value"] = metrics["cosine"] = result.outputs.cosine();
    result.loss = 1.0 - result.outputs.cosine();
  } else {
    const double difference = reference.value() - result.score.value();
    result.loss = task.metric.higher_is_better() ? difference : -difference;
  }
}

}  // namespace hexquant::evaluate
