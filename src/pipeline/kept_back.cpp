#include "pipeline/kept_back.h"

#include "evaluate/metrics.h"
#include "hexquant/error.h"
#include "pipeline/evaluation_task.h"

namespace hexquant::pipeline {
namespace {

/// The evaluation moved behind the samples that it scores.
std::optional<EvaluationRecipe> moved(const Recipe& recipe) {
  EvaluationRecipe evaluation = recipe.evaluation;
  DataRecipe& data = evaluation.data;
  const std::int64_t scored = data.samples;
  if (scored == 0) return std::nullopt;  // all of them
  if (data.sources.empty()) {
    if (recipe.data.samples == 0) return std::nullopt;
    data = held_out(recipe.data, scored);
  }
  if (data.sampling != "first") return std::nullopt;
  data.skip += scored;
  evaluation.enabled = true;
  return evaluation;
}

}  // namespace

std::optional<KeptBackScore> score_kept_back(const Recipe& recipe, const graph::Graph& original,
                                             const evaluate::OpenSession& open_original,
                                             const std::filesystem::path& quantized, int threads,
                                             ProgressSink& progress) {
  const std::string& metric = recipe.evaluation.metric;
  if (!metric.empty() && evaluate::parse_metric(metric).is_external()) return std::nullopt;
  const std::optional<EvaluationRecipe> evaluation = moved(recipe);
  if (!evaluation) return std::nullopt;
  EvaluationTask opened;
  try {
    Findings ignored;  // those of the scored samples are known
    opened = open_evaluation(*evaluation, recipe.data, recipe.seed, original, ignored);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidData) throw;
    return std::nullopt;  // no samples, or no labels, are left
  }
  const std::int64_t left = opened.data->size() * opened.data->batch_size();
  if (2 * left < evaluation->data.samples) return std::nullopt;
  const evaluate::EvaluationResult scores = evaluate::evaluate_models(
      {.name = "float", .open = open_original}, {{.name = "quantized", .file = quantized}},
      opened.task, threads, progress);
  const evaluate::CandidateScore& score = scores.candidates.front();
  return KeptBackScore{scores.samples, scores.reference.value(), score.score.value(), score.loss,
                       score.outputs.sqnr_db()};
}

}  // namespace hexquant::pipeline
