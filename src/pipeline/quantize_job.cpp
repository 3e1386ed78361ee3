#include "pipeline/quantize_job.h"

#include <optional>
#include <utility>

#include "core/file_io.h"
#include "core/finding_list.h"
#include "core/json.h"
#include "core/peak_memory.h"
#include "core/stopwatch.h"
#include "evaluate/compare_layers.h"
#include "evaluate/evaluate_models.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "hexquant/version.h"
#include "mixed_precision/sensitivity_table.h"
#include "pipeline/advise_model.h"
#include "pipeline/analyze_json.h"
#include "pipeline/analyze_model.h"
#include "pipeline/checklist/checklist.h"
#include "pipeline/evaluation_task.h"
#include "pipeline/htp_model.h"
#include "pipeline/make_report.h"
#include "pipeline/method_gains.h"
#include "pipeline/qat_job.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "pipeline/quantized_start.h"
#include "pipeline/result_files.h"
#include "pipeline/write_outputs.h"
#include "report/page.h"
#include "runtime/session.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

/// Scores of both models, and how far every encoded tensor departs.
Verification verify(const Recipe& recipe, QuantizedModel& model, int threads,
                    ProgressSink& progress) {
  const EvaluationTask evaluation =
      open_evaluation(recipe.evaluation, recipe.data, recipe.seed, model.original, model.findings);
  Verification verification;
  verification.scores = evaluate::evaluate_models({"float", &model.original, {}},
                                                  {{"quantized", &model.quantized, {}}},
                                                  evaluation.task, threads, progress);
  verification.tensors = compare_encoded_tensors(model, *evaluation.data, threads);
  return verification;
}

QuantizeResult make_result(const Recipe& recipe, const QuantizeOptions& options,
                           const QuantizedModel& model, const Verification& verification,
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
  result.loss = candidate.loss;
  result.sqnr_db = candidate.outputs.sqnr_db();
  result.cosine = candidate.outputs.cosine();
  result.agreement = candidate.agreement;
  result.calibration_samples = model.statistics.samples;
  result.evaluated_samples = verification.scores.samples;
  for (const auto& [stage, seconds] : model.seconds) result.seconds[stage] = seconds;
  result.seconds["total"] = total_seconds;
  result.methods = method_gains(options, model.equalization, model.rounding);
  result.findings = model.findings;
  return result;
}

/// What the latency model says of the quantized model.
Analysis predict_performance(const Recipe& recipe, const QuantizedModel& model,
                             const target::Target& target, report::QuantizeReport& report) {
  graph::Graph graph = model.quantized;
  if (!fix_known_batch(graph)) graph = analysis_graph(std::move(graph), {}, target).graph;
  Analysis analysis = analyze_graph(graph, target, {});
  const perf::Prediction& prediction = analysis.prediction;
  report.performance = {.time_us = prediction.time_us.value,
                        .lower_us = prediction.time_us.lower,
                        .upper_us = prediction.time_us.upper,
                        .ddr_bytes = prediction.ddr_bytes,
                        .median_error = analysis.error.median_error};
  const std::filesystem::path output = recipe.output;
  const AdvisedModel advised = {(output / quantized_file(recipe)).string(),
                                (output / "recipe.json").string(), true};
  report.analysis = to_json(analysis);
  report.analysis["findings"] = findings_json(analysis, advise_model(analysis, {}, advised));
  return analysis;
}

/// What `sensitivity` measured of the same model into the same folder; null = nothing. The file is
/// the user's: one that cannot be read only leaves its section out.
Json sensitivity_of(const Recipe& recipe) {
  const std::filesystem::path file = std::filesystem::path(recipe.output) / "sensitivity.json";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return nullptr;
  try {
    const auto table = mixed_precision::table_from_json(read_json(file), file.string());
    return table.model == recipe.model ? mixed_precision::to_json(table) : Json(nullptr);
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace

QuantizeJob run_quantize_job(const Recipe& recipe, const std::filesystem::path& folder, int threads,
                             ProgressSink& progress, const TrainingHooks* training) {
  Stopwatch watch;
  const QuantizeOptions options = resolve_recipe(recipe, threads);
  const target::Target target = target::load_target(recipe.soc);
  const bool trains = training != nullptr && recipe.training.enabled;
  QuantizedModel model = trains && !recipe.training.start.empty()
                             ? load_stages(recipe, options, target, threads, progress)
                             : run_stages(recipe, options, target, threads, progress);
  if (trains) {
    train_model(recipe, options, threads, model, *training, progress);
  }
  watch.lap_seconds();
  const Findings lost = write_outputs(folder, model, recipe, threads);
  append(model.findings, lost);
  model.seconds.emplace_back("write", watch.lap_seconds());
  const Verification verification = verify(recipe, model, threads, progress);
  model.seconds.emplace_back("verify", watch.lap_seconds());
  model.seconds.emplace_back("total", watch.total_seconds());

  QuantizeJob job;
  job.report = make_report(recipe, target, model, verification, folder);
  job.report.sensitivity = sensitivity_of(recipe);
  job.report.training = training_section(recipe, model);
  job.report.threads = threads;
  job.report.peak_rss_bytes = peak_memory_bytes();
  const Analysis analysis = predict_performance(recipe, model, target, job.report);
  job.report.checklist = to_json(check_at_hand(report::report_json(job.report, Json::object()),
                                               recipe, model.quantized, analysis, progress));
  job.result = make_result(recipe, options, model, verification, watch.total_seconds());
  job.result.predicted_us = job.report.performance.time_us;
  return job;
}

void write_reports(const std::filesystem::path& folder, const std::string& command,
                   const report::QuantizeReport& report) {
  Json header;
  header["schema"] = "hexquant-report-1";
  header["command"] = command;
  header["versions"] = {{"hexquant", version()}, {"onnxruntime", runtime::runtime_version()}};
  write_file(folder / "report.json", to_text(report::report_json(report, header)));
  write_file(folder / "report.html", report::report_html(report, header));
}

bool update_page(const std::filesystem::path& folder, const std::string& member, Json value) {
  const std::filesystem::path page = folder / "report.html";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(page, ignored)) return false;
  std::optional<Json> data = report::page_data(read_file(page));
  if (!data) return false;
  const auto schema = data->find("schema");
  if (schema == data->end() || *schema != "hexquant-report-1") return false;
  (*data)[member] = std::move(value);
  write_file(page, report::report_html(*std::move(data)));
  return true;
}

}  // namespace hexquant::pipeline
