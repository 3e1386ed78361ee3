#include "hexquant/quantize.h"

#include <cmath>
#include <limits>
#include <utility>

#include "core/file_io.h"
#include "core/json.h"
#include "core/peak_memory.h"
#include "core/stopwatch.h"
#include "evaluate/compare_layers.h"
#include "evaluate/evaluate_models.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/version.h"
#include "pipeline/evaluation_task.h"
#include "pipeline/make_report.h"
#include "pipeline/method_gains.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "pipeline/write_outputs.h"
#include "report/report.h"
#include "runtime/session.h"
#include "target/target.h"

namespace hexquant {
namespace {

using pipeline::QuantizedModel;

Json report_header() {
  Json header;
  header["schema"] = "hexquant-report-1";
  header["command"] = "quantize";
  header["versions"] = {{"hexquant", version()}, {"onnxruntime", runtime::runtime_version()}};
  return header;
}

/// Scores of both models, and how far every encoded tensor departs.
pipeline::Verification verify(const Recipe& recipe, QuantizedModel& model, int threads,
                              ProgressSink& progress) {
  const pipeline::EvaluationTask evaluation = pipeline::open_evaluation(
      recipe.evaluation, recipe.data, recipe.seed, model.original, model.findings);
  pipeline::Verification verification;
  verification.scores = evaluate::evaluate_models({"float", &model.original, {}},
                                                  {{"quantized", &model.quantized, {}}},
                                                  evaluation.task, threads, progress);
  verification.tensors = pipeline::compare_encoded_tensors(model, *evaluation.data, threads);
  return verification;
}

QuantizeResult make_result(const Recipe& recipe, const pipeline::QuantizeOptions& options,
                           const QuantizedModel& model, const pipeline::Verification& verification,
                           double total_seconds) {
  const evaluate::CandidateScore& candidate = verification.scores.candidates.front();
  QuantizeResult result;
  result.output = recipe.output;
  result.metric = verification.scores.metric;
  result.fp32 = verification.scores.reference.metrics;
  result.quantized = candidate.score.metrics;
  if (candidate.difference_interval) {
    result.interval = {candidate.difference_interval->low, candidate.difference_interval->high};
  }
  result.sqnr_db = candidate.outputs.sqnr_db();
  result.cosine = candidate.outputs.cosine();
  result.agreement = candidate.agreement;
  result.calibration_samples = model.statistics.samples;
  result.evaluated_samples = verification.scores.samples;
  for (const auto& [stage, seconds] : model.seconds) result.seconds[stage] = seconds;
  result.seconds["total"] = total_seconds;
  result.methods = pipeline::method_gains(options, model.equalization, model.rounding);
  result.findings = model.findings;
  return result;
}

}  // namespace

QuantizeResult quantize(const Recipe& recipe, int threads, ProgressSink& progress) {
  Stopwatch watch;
  const pipeline::QuantizeOptions options = pipeline::resolve_recipe(recipe, threads);
  const target::Target target = target::load_target(recipe.soc);
  StagedDirectory output(recipe.output);
  QuantizedModel model = pipeline::run_stages(recipe, options, target, threads, progress);
  watch.lap_seconds();
  const Findings lost = pipeline::write_outputs(output.path(), model, recipe, threads);
  model.findings.insert(model.findings.end(), lost.begin(), lost.end());
  model.seconds.emplace_back("write", watch.lap_seconds());
  const pipeline::Verification verification = verify(recipe, model, threads, progress);
  model.seconds.emplace_back("verify", watch.lap_seconds());
  model.seconds.emplace_back("total", watch.total_seconds());

  report::QuantizeReport report =
      pipeline::make_report(recipe, target, model, verification, output.path());
  report.threads = threads;
  report.peak_rss_bytes = peak_memory_bytes();
  const Json header = report_header();
  write_file(output.path() / "report.json", to_text(report::report_json(report, header)));
  write_file(output.path() / "report.html", report::report_html(report, header));
  output.commit();
  return make_result(recipe, options, model, verification, watch.total_seconds());
}

}  // namespace hexquant
