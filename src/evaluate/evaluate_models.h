#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "evaluate/difference.h"
#include "evaluate/metrics.h"
#include "evaluate/task.h"
#include "graph/graph.h"
#include "hexquant/progress.h"
#include "runtime/inference_session.h"

namespace hexquant::evaluate {

/// Loads a model wherever it is to run.
using OpenSession = std::function<std::unique_ptr<runtime::InferenceSession>()>;

/// A model to run: a graph in memory (float or with Q/DQ pairs), or a file.
struct Model {
  std::string name;                     ///< shown in results and messages
  const graph::Graph* graph = nullptr;  ///< used when set; must outlive the evaluation
  std::filesystem::path file = {};
  OpenSession open = {};  ///< used when set; else the model runs on the CPU
  /// Where the same model runs on the CPU: 0 = the reference, i = candidate i - 1, before this one.
  std::optional<std::size_t> on_cpu = std::nullopt;
};

/// The same model on another device and on the CPU.
struct DeviceDifference {
  double agreement = 0.0;  ///< as CandidateScore::agreement, NaN likewise
  Difference outputs;      ///< the CPU's are the reference
};

/// A tensor of a candidate compared with the reference's, pooled over all samples.
struct TensorDifference {
  std::string name;
  Difference difference;
};

/// How one model did.
struct ModelScore {
  std::string model;
  /// "value" (the task's metric) and the metrics by name: "top1", "top5", "perplexity", "nll",
  /// "spearman-pairs", "cosine", "sqnr", "exec". Rates are fractions 0..1.
  std::map<std::string, double> metrics;
  double ms_per_sample = 0.0;  ///< mean wall time of one inference on one thread

  [[nodiscard]] double value() const { return metrics.at("value"); }
};

/// A candidate's score and its comparison with the reference.
struct CandidateScore {
  ModelScore score;
  /// How much worse than the reference: reference - candidate, the other way round where lower is
  /// better; 1 - cosine for cosine; noise / signal for sqnr.
  double loss = 0.0;
  /// 95 % interval of candidate - reference (top1, top5).
  std::optional<Interval> difference_interval;
  /// Share of rows (samples; predictions for perplexity) with the same argmax of the scored output;
  /// NaN for pairs and external programs.
  double agreement = 0.0;
  double kl = 0.0;     ///< mean softmax_kl over the same rows, nats; NaN likewise
  Difference outputs;  ///< all floating-point outputs pooled (all outputs if none is)
  std::vector<TensorDifference> per_output;     ///< in the reference's order
  std::optional<DeviceDifference> against_cpu;  ///< for a Model with on_cpu
};

struct EvaluationResult {
  std::string metric;  ///< as parse_metric reads it
  std::int64_t samples = 0;
  ModelScore reference;
  std::vector<CandidateScore> candidates;
  double seconds = 0.0;  ///< wall time of everything, loading included
};

/// Runs the reference and every candidate over all samples of the task, each sample being loaded
/// once, and scores them.
///
/// `threads` workers run whole samples on single-threaded sessions; sums are merged in sample
/// order, so that every number but the times is the same for any number of threads. Memory does
/// not grow with the samples beyond a few hundred bytes each. Models with 8-bit codes run on
/// integer kernels that do not saturate, see runtime_options().
///
/// @param candidates  may be empty unless the metric is a comparison. Inputs must be among the
///                    reference's; outputs are matched by name, or by position when the names
///                    differ and their number is the same
/// @throws Error(kInvalidArgument / kInvalidData) for a task that lacks something or does not fit
///         the models; Error(kInvalidModel) when a candidate does not fit the reference
[[nodiscard]] EvaluationResult evaluate_models(const Model& reference,
                                               const std::vector<Model>& candidates,
                                               const Task& task, int threads = 1,
                                               ProgressSink& progress = silent_progress());

/// {"metric", "samples", "seconds", "summary", "models"}: docs/schema/evaluate.schema.json.
[[nodiscard]] Json to_json(const EvaluationResult& result);

}  // namespace hexquant::evaluate
