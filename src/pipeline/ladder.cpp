#include "hexquant/ladder.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "core/scratch_directory.h"
#include "core/stopwatch.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "pipeline/data_overlap.h"
#include "pipeline/evaluation_task.h"
#include "pipeline/mixed_precision.h"
#include "pipeline/qat_job.h"
#include "pipeline/quantize_job.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "pipeline/training_options.h"

namespace hexquant {
namespace {

namespace fs = std::filesystem;
using pipeline::QuantizeJob;

constexpr std::size_t kBlamedLayers = 5;

/// A method in the order of its cost.
struct Step {
  std::string method;
  std::string purpose;
  std::function<QuantizeJob(const fs::path&)> run;
  std::string obstacle = {};  ///< why it cannot be tried; empty: it can
};

/// The recipe of the first rung with the methods of another one.
Recipe with_algorithms(Recipe recipe, std::vector<std::string> algorithms) {
  recipe.algorithms = std::move(algorithms);
  return recipe;
}

class Ladder {
 public:
  Ladder(Recipe recipe, const LadderOptions& options, int threads, ProgressSink& progress)
      : recipe_(std::move(recipe)), options_(options), threads_(threads), progress_(progress) {
    recipe_.evaluation.enabled = true;
    recipe_.training.enabled = false;
  }

  LadderResult run() {
    StagedDirectory output(recipe_.output);
    if (trains()) check_training();
    find_overlap();
    for (const Step& step : steps()) {
      if (result_.meets_target || result_.interrupted) {
        skip(step, result_.interrupted ? "interrupted" : "not needed: the target is met");
      } else if (!step.obstacle.empty()) {
        skip(step, step.obstacle);
      } else if (is_out_of_time()) {
        skip(step, format("not started: {} s are over", options_.max_seconds));
      } else {
        climb(step);
      }
    }
    choose();
    finish(output.path());
    output.commit();
    return std::move(result_);
  }

 private:
  using Jobs = std::vector<std::optional<QuantizeJob>>;  // by rung; absent = did not run

  [[nodiscard]] std::vector<Step> steps() {
    const auto job = [this](const Recipe& recipe) {
      return [this, recipe](const fs::path& folder) {
        return pipeline::run_quantize_job(recipe, folder, threads_, progress_);
      };
    };
    const Recipe rounded = with_algorithms(recipe_, {"cle", "adaptive-rounding"});
    std::vector<Step> steps;
    steps.push_back({"ptq", "ranges from calibration, weights to nearest", job(recipe_)});
    steps.push_back({"cle + adaptive-rounding",
                     "equalized channels and weights rounded for the outputs", job(rounded)});
    steps.push_back({"mixed precision", "more bits where they gain most for their predicted cost",
                     [this, rounded](const fs::path& folder) { return mixed(rounded, folder); }});
    if (recipe_.act_bits < 16) {
      Recipe wide = rounded;
      wide.act_bits = 16;
      steps.push_back({"16-bit activations", "finer activations everywhere", job(wide)});
    }
    if (trains()) {
      steps.push_back({"training", "weights, scales and ranges trained in the presence of rounding",
                       [this, rounded](const fs::path& folder) { return trained(rounded, folder); },
                       training_obstacle_});
    }
    return steps;
  }

  [[nodiscard]] bool trains() const { return !recipe_.training.data.sources.empty(); }

  /// Whatever would keep the last rung from being tried is found before the first.
  void check_training() {
    Recipe recipe = recipe_;
    recipe.training.enabled = true;
    try {
      training_.findings = pipeline::check_training(recipe);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kMissingComponent) throw;
      training_obstacle_ = error.what();
    }
  }

  [[nodiscard]] QuantizeJob trained(Recipe recipe, const fs::path& folder) {
    recipe.training.enabled = true;
    if (options_.max_seconds > 0.0) {
      constexpr double kLeastSeconds = 1.0;
      recipe.training.max_seconds =
          std::max(kLeastSeconds, options_.max_seconds - watch_.total_seconds());
    }
    return pipeline::run_quantize_job(pipeline::with_training_data(recipe), folder, threads_,
                                      progress_, &training_);
  }

  [[nodiscard]] QuantizeJob mixed(const Recipe& recipe, const fs::path& folder) {
    pipeline::MixedPrecisionOptions options;
    options.rule = pipeline::WidthRule::kSearch;
    options.max_loss = options_.max_loss;
    options.folder = folder;
    pipeline::MixedPrecisionResult result =
        pipeline::choose_widths(recipe, options, threads_, progress_);
    return {std::move(result.final_model), std::move(result.report)};
  }

  /// Samples that are calibrated with and scored flatter the result.
  void find_overlap() {
    const graph::Graph graph = formats::read_onnx(recipe_.model);
    Findings findings;
    const pipeline::EvaluationTask scored =
        pipeline::open_evaluation(recipe_.evaluation, recipe_.data, recipe_.seed, graph, findings);
    const bool known = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.id == "evaluated-on-calibration-data";
    });
    if (known) return;
    const auto calibrated = data::open_dataset(pipeline::resolve_data(recipe_.data, recipe_.seed),
                                               pipeline::model_inputs(graph));
    const std::int64_t shared = pipeline::count_overlap(*calibrated, *scored.data);
    if (shared == 0) return;
    findings_.push_back({"evaluation-overlaps-calibration", Severity::kWarning, "",
                         format("{} of {} scored samples were calibrated with too: the result is "
                                "flattered",
                                shared, scored.data->size()),
                         "give other samples with --eval-data, or skip those with --skip"});
  }

  [[nodiscard]] bool is_out_of_time() const {
    return options_.max_seconds > 0.0 && !result_.rungs.empty() &&
           watch_.total_seconds() > options_.max_seconds;
  }

  void skip(const Step& step, const std::string& reason) {
    Rung rung;
    rung.method = step.method;
    rung.reason = reason;
    result_.rungs.push_back(std::move(rung));
    jobs_.emplace_back();
  }

  void climb(const Step& step) {
    Stopwatch watch;
    const fs::path folder = scratch_.path() / std::to_string(result_.rungs.size());
    fs::create_directories(folder);
    std::optional<QuantizeJob> job;
    try {
      job = step.run(folder);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCancelled || !has_finished_rung()) throw;
      result_.interrupted = true;
      return skip(step, "interrupted");
    }
    Rung rung;
    rung.method = step.method;
    rung.ran = true;
    rung.reason = reason_for(step);
    rung.value = job->result.quantized.at("value");
    rung.loss = job->result.loss;
    rung.meets_target = rung.loss <= options_.max_loss;
    rung.predicted_us = job->result.predicted_us;
    rung.seconds = watch.total_seconds();
    result_.metric = job->result.metric;
    result_.reference = job->result.fp32.at("value");
    result_.meets_target |= rung.meets_target;
    result_.rungs.push_back(std::move(rung));
    jobs_.push_back(std::move(job));
  }

  [[nodiscard]] std::string reason_for(const Step& step) const {
    for (auto rung = result_.rungs.rbegin(); rung != result_.rungs.rend(); ++rung) {
      if (!rung->ran) continue;
      return format("{}: {} loses {:.4g}, more than {:.4g}", step.purpose, rung->method, rung->loss,
                    options_.max_loss);
    }
    return step.purpose;
  }

  [[nodiscard]] bool has_finished_rung() const {
    return std::any_of(result_.rungs.begin(), result_.rungs.end(),
                       [](const Rung& rung) { return rung.ran; });
  }

  /// The cheapest that meets the target; without one the most accurate.
  void choose() {
    const auto better = [&](const Rung& a, const Rung& b) {
      if (a.meets_target != b.meets_target) return a.meets_target;
      return a.meets_target ? a.predicted_us < b.predicted_us : a.loss < b.loss;
    };
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < result_.rungs.size(); ++i) {
      if (!result_.rungs[i].ran) continue;
      if (!best || better(result_.rungs[i], result_.rungs[*best])) best = i;
    }
    HEXQUANT_CHECK(best.has_value(), "no rung of the ladder ran");
    result_.chosen = *best;
    if (!result_.meets_target) blame();
  }

  /// Layers that depart most in the most accurate model.
  void blame() {
    std::vector<report::LayerRow> rows = jobs_[result_.chosen]->report.layers;
    rows.erase(
        std::remove_if(rows.begin(), rows.end(),
                       [](const report::LayerRow& row) { return !std::isfinite(row.sqnr_db); }),
        rows.end());
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.sqnr_db < b.sqnr_db; });
    for (const report::LayerRow& row : rows) {
      if (result_.blamed_layers.size() == kBlamedLayers) break;
      result_.blamed_layers.push_back(format("{} ({:.1f} dB)", row.name, row.sqnr_db));
    }
  }

  void finish(const fs::path& folder) {
    QuantizeJob& job = *jobs_[result_.chosen];
    for (std::size_t i = 0; i < result_.rungs.size(); ++i) {
      const Rung& rung = result_.rungs[i];
      job.report.rungs.push_back({.method = rung.method,
                                  .reason = rung.reason,
                                  .ran = rung.ran,
                                  .metric = result_.metric,
                                  .value = rung.value,
                                  .loss = rung.loss,
                                  .meets_target = rung.meets_target,
                                  .chosen = i == result_.chosen,
                                  .predicted_us = rung.predicted_us,
                                  .seconds = rung.seconds});
    }
    if (!result_.meets_target) {
      findings_.push_back(
          {"target-missed", Severity::kWarning, "",
           format("no method loses at most {:.4g}: the best, {}, loses {:.4g}; layers that depart "
                  "most: {}",
                  options_.max_loss, result_.rungs[result_.chosen].method,
                  result_.rungs[result_.chosen].loss, join(result_.blamed_layers, ", ")),
           "keep those layers in float (--keep-float), give more calibration data, or train "
           "(--train-data)"});
    }
    for (Findings* findings : {&job.report.findings, &job.result.findings}) {
      findings->insert(findings->begin(), findings_.begin(), findings_.end());
    }
    fs::copy(scratch_.path() / std::to_string(result_.chosen), folder,
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    pipeline::write_reports(folder, "auto", job.report);
    if (!result_.interrupted) pipeline::remove_checkpoint(recipe_);
    result_.output = recipe_.output;
    result_.best = std::move(job.result);
  }

  Recipe recipe_;
  LadderOptions options_;
  int threads_;
  ProgressSink& progress_;
  Stopwatch watch_;
  ScratchDirectory scratch_;
  Jobs jobs_;
  Findings findings_;
  pipeline::TrainingHooks training_;
  std::string training_obstacle_;
  LadderResult result_;
};

}  // namespace

LadderResult climb_ladder(const Recipe& recipe, const LadderOptions& options, int threads,
                          ProgressSink& progress) {
  return Ladder(recipe, options, threads, progress).run();
}

}  // namespace hexquant
