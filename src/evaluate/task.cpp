#include "evaluate/task.h"

#include <array>
#include <cmath>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

/// What stands before the program or file of an external metric.
constexpr std::array<std::pair<MetricKind, const char*>, 2> kPrefixes = {{
    {MetricKind::kExternal, "exec:"},
    {MetricKind::kPlugin, "so:"},
}};

constexpr std::array<std::pair<MetricKind, const char*>, 6> kNames = {{
    {MetricKind::kTop1, "top1"},
    {MetricKind::kTop5, "top5"},
    {MetricKind::kCosine, "cosine"},
    {MetricKind::kSqnr, "sqnr"},
    {MetricKind::kSpearmanPairs, "spearman-pairs"},
    {MetricKind::kPerplexity, "perplexity"},
}};

void check_count(const char* what, std::size_t found, std::int64_t samples) {
  if (static_cast<std::int64_t>(found) == samples) return;
  throw Error(ErrorCode::kInvalidData, format("{} {} for {} samples", found, what, samples));
}

void check_pairs(const Task& task) {
  if (task.data_b == nullptr) {
    throw Error(ErrorCode::kInvalidArgument,
                "metric spearman-pairs needs the second sentence of each pair (--data-b)");
  }
  const std::int64_t second = task.data_b->size() * task.data_b->batch_size();
  if (second != task.samples()) {
    throw Error(
        ErrorCode::kInvalidData,
        format("spearman-pairs: {} samples in --data, {} in --data-b", task.samples(), second));
  }
  if (task.scores.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "metric spearman-pairs needs a score for each pair (--labels)");
  }
  check_count("scores", task.scores.size(), task.samples());
  for (std::size_t i = 0; i < task.scores.size(); ++i) {
    if (std::isfinite(task.scores[i])) continue;
    throw Error(ErrorCode::kInvalidData, format("score {} of spearman-pairs is not finite", i));
  }
}

}  // namespace

std::string Metric::name() const {
  for (const auto& [known, text] : kNames) {
    if (known == kind) return text;
  }
  for (const auto& [known, prefix] : kPrefixes) {
    if (known == kind) return prefix + program;
  }
  return program;
}

Metric parse_metric(const std::string& text) {
  for (const auto& [kind, name] : kNames) {
    if (text == name) return {.kind = kind, .program = {}};
  }
  for (const auto& [kind, name] : kPrefixes) {
    const std::string prefix = name;
    if (text.starts_with(prefix) && text.size() > prefix.size()) {
      return {.kind = kind, .program = text.substr(prefix.size())};
    }
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("unknown metric '{}': expected top1, top5, cosine, sqnr, spearman-pairs, "
                     "perplexity, exec:PROGRAM or so:FILE",
                     text));
}

void check_task(const Task& task) {
  HEXQUANT_CHECK(task.data != nullptr, "a task has data");
  const std::int64_t samples = task.samples();
  if (task.metric.is_rate() && task.labels.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                format("metric {} needs labels (--labels)", task.metric.name()));
  }
  if (!task.labels.empty()) check_count("labels", task.labels.size(), samples);
  if (task.metric.kind == MetricKind::kSpearmanPairs) check_pairs(task);
  if (!task.lengths.empty()) check_count("lengths", task.lengths.size(), samples);
  if (task.metric.is_external() && !(task.time_limit_s > 0.0)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("time limit {} s of the metric must be above 0", task.time_limit_s));
  }
}

}  // namespace hexquant::evaluate
