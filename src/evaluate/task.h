#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace hexquant::evaluate {

enum class MetricKind {
  kTop1,
  kTop5,
  kCosine,
  kSqnr,
  kSpearmanPairs,
  kPerplexity,
  kExternal,
  kPlugin
};

/// What a model is scored by.
struct Metric {
  MetricKind kind = MetricKind::kSqnr;
  std::string program;  ///< kExternal: command line, run by the shell; kPlugin: shared object

  /// "top1", "spearman-pairs", "exec:PROGRAM", "so:FILE", ...: the form that parse_metric reads.
  [[nodiscard]] std::string name() const;
  /// False for perplexity only.
  [[nodiscard]] bool higher_is_better() const noexcept { return kind != MetricKind::kPerplexity; }
  /// True when the metric is a comparison with a reference model (cosine, sqnr).
  [[nodiscard]] bool needs_reference() const noexcept {
    return kind == MetricKind::kCosine || kind == MetricKind::kSqnr;
  }
  /// True when another process computes it from the outputs of all samples (exec:, so:).
  [[nodiscard]] bool is_external() const noexcept {
    return kind == MetricKind::kExternal || kind == MetricKind::kPlugin;
  }
  /// True when every sample is right or wrong (top1, top5).
  [[nodiscard]] bool is_rate() const noexcept {
    return kind == MetricKind::kTop1 || kind == MetricKind::kTop5;
  }
};

/// @param text  top1 | top5 | cosine | sqnr | spearman-pairs | perplexity | exec:PROGRAM |
///              so:FILE
/// @throws Error(kInvalidArgument) listing these
[[nodiscard]] Metric parse_metric(const std::string& text);

/// A data set and what the models have to say about it. Vectors hold one entry for each sample:
/// row r of the data set's item i is sample i * batch_size() + r.
struct Task {
  Metric metric;
  const data::Dataset* data = nullptr;
  std::vector<std::int64_t> labels;       ///< top1, top5: needed; cosine, sqnr: scored when given
  const data::Dataset* data_b = nullptr;  ///< spearman-pairs: second element of each pair
  std::vector<double> scores;             ///< spearman-pairs: similarity that people gave
  std::vector<std::int64_t> lengths;      ///< perplexity: tokens of each row; empty = whole rows
  /// Output that is scored; empty = the first floating-point one of the rank the metric reads: one
  /// row a sample ([N, C]), or positions by tokens for perplexity ([N, S, V]); else the first.
  std::string output;
  std::string token_input;            ///< perplexity: input that holds the tokens
  std::filesystem::path labels_file;  ///< exec, so: handed on as it is; may be empty
  double time_limit_s = 600.0;        ///< exec, so: for each model

  [[nodiscard]] std::int64_t samples() const { return data->size() * data->batch_size(); }
  [[nodiscard]] bool scores_labels() const noexcept {
    return !labels.empty() && (metric.is_rate() || metric.needs_reference());
  }
};

/// Checks that everything the metric needs is there, in the right number, before any inference.
/// @throws Error(kInvalidArgument) for what is missing, Error(kInvalidData) for wrong numbers
void check_task(const Task& task);

}  // namespace hexquant::evaluate
