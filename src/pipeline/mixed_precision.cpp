#include "pipeline/mixed_precision.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "core/file_io.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "core/journal.h"
#include "evaluate/evaluate_models.h"
#include "evaluate/remembered_session.h"
#include "evaluate/session_choice.h"
#include "hexquant/error.h"
#include "pipeline/evaluation_task.h"
#include "pipeline/quantize_job.h"
#include "pipeline/recipe_json.h"
#include "pipeline/result_files.h"
#include "pipeline/sensitivity.h"
#include "pipeline/weight_noise.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

using mixed_precision::Assignment;
using mixed_precision::Candidate;
using mixed_precision::CandidateKind;
using mixed_precision::Effect;
using mixed_precision::Evaluated;
using mixed_precision::kFloatBits;
using mixed_precision::LayerStretch;
using mixed_precision::SensitivityRow;

/// 16 bits for weights and activations of a layer: as far as the target takes them.
constexpr LayerWidths kAllWide = {16, 16};

/// Samples of the sensitivity that a search starts from: it ranks by noise, which few samples tell;
/// the metric, which needs more, is measured on whole models.
constexpr std::int64_t kRankingSamples = 64;

/// Added to the cost of what must not be chosen.
constexpr double kForbiddenUs = 1e9;

/// Scores of an evaluated model as a line of the journal.
Json evaluated_json(const Evaluated& evaluated) {
  return {{"metric", evaluated.metric},
          {"loss", evaluated.loss},
          {"sqnr_db", std::isfinite(evaluated.sqnr_db) ? Json(evaluated.sqnr_db) : Json(nullptr)}};
}

Evaluated evaluated_from_json(const Json& json, const std::string& origin) {
  const JsonCursor cursor(json, origin);
  const JsonCursor sqnr = cursor.at("sqnr_db");
  return {cursor.at("metric").number(), cursor.at("loss").number(),
          sqnr.json().is_null() ? std::numeric_limits<double>::infinity() : sqnr.number()};
}

class Chooser {
 public:
  Chooser(const Recipe& recipe, const MixedPrecisionOptions& options, int threads,
          ProgressSink& progress)
      : recipe_(recipe), options_(options), threads_(threads), progress_(progress) {
    if (recipe_.output.empty()) {
      throw Error(ErrorCode::kInvalidArgument, "no output folder given (-o DIR)");
    }
    if (!(options_.int16_ratio >= 0.0 && options_.int16_ratio <= 1.0)) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("--int16-ratio {}: expected 0 to 1", options_.int16_ratio));
    }
    (void)resolve_recipe(recipe_, threads);  // everything named in it is there
    if (options_.estimate) result_.findings = check_estimates(recipe_.soc);
  }

  MixedPrecisionResult run() {
    std::filesystem::create_directories(recipe_.output);
    result_.max_loss = options_.max_loss;
    result_.max_latency_us = options_.max_latency_us;
    if (options_.rule != WidthRule::kSnrBelow) take_sensitivity();
    space_ = std::make_unique<WidthSpace>(recipe_, threads_, progress_);
    open_task();
    if (options_.rule == WidthRule::kSearch) {
      search();
    } else {
      evaluate_rule();
    }
    result_.front = mixed_precision::pareto_front(plain_points());
    if (options_.estimate && target::load_target(recipe_.soc).soc.vendor_estimates)
      ask_about_points();
    write_final();
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::filesystem::path in_output(const char* name) const {
    return std::filesystem::path(recipe_.output) / name;
  }

  void take_sensitivity() {
    if (!options_.sensitivity.empty()) {
      result_.sensitivity = mixed_precision::table_from_json(read_json(options_.sensitivity),
                                                             options_.sensitivity.string());
      return;
    }
    SensitivityOptions options;
    options.blocks = false;
    options.journal = in_output("sensitivity.journal");
    options.time_limit_s = options_.time_limit_s;
    // A program or plug-in may count on an output for every label.
    const std::string& metric = recipe_.evaluation.metric;
    const bool is_external = !metric.empty() && evaluate::parse_metric(metric).is_external();
    if (options_.rule == WidthRule::kSearch && !is_external) options.max_samples = kRankingSamples;
    SensitivityResult measured = measure_sensitivity(recipe_, options, threads_, progress_);
    result_.sensitivity = std::move(measured.table);
    append(result_.findings, measured.findings);
  }

  void open_task() {
    EvaluationRecipe evaluation = recipe_.evaluation;
    if (!evaluation.enabled && evaluation.data.sources.empty()) evaluation.data = recipe_.data;
    evaluation.enabled = true;
    Findings ignored;  // those of the sensitivity, or of the final verification
    task_ = open_evaluation(evaluation, recipe_.data, recipe_.seed, space_->forms().model.original,
                            ignored);
    task_.task.time_limit_s = options_.time_limit_s;
    open_float_ = evaluate::remember_outputs([this] {
      return evaluate::open_session({"float", &space_->forms().model.original, {}});
    });
    result_.metric = task_.task.metric.name();
    Recipe named = recipe_;
    named.output.clear();
    Digest digest;
    digest.add(to_text(recipe_to_json(named))).add(result_.metric);
    digest.add(to_text(mixed_precision::to_json(result_.sensitivity)));
    for (const auto& [name, values] : space_->forms().model.statistics.values) {
      digest.add(format("{} {} {}", name, values.min, values.max));
    }
    journal_ = std::make_unique<Journal>(in_output("pareto.journal"), digest.text());
  }

  /// Scores the QDQ model of a choice against the float model; known ones come from the journal.
  Evaluated evaluate(const WidthChoice& choice) {
    const std::string key = format("{}", join(layer_bits_of(choice), " "));
    if (const Json* known = journal_->find(key)) {
      result_.reference = known->at("reference").get<double>();
      return evaluated_from_json(*known, in_output("pareto.journal").string());
    }
    const graph::Graph quantized = space_->quantized(choice);
    const evaluate::EvaluationResult scores =
        evaluate::evaluate_models({.name = "float", .open = open_float_},
                                  {{"mixed", &quantized, {}}}, task_.task, threads_, progress_);
    const evaluate::CandidateScore& score = scores.candidates.front();
    const double sqnr_db = score.outputs.sqnr_db();
    const Evaluated evaluated = {score.score.value(), score.loss, sqnr_db};
    const double reference = scores.reference.value();
    result_.reference = std::isfinite(reference) ? reference : 0.0;
    Json line = evaluated_json(evaluated);
    line["reference"] = result_.reference;
    journal_->append(key, std::move(line));
    return evaluated;
  }

  void add_point(const std::string& name, const WidthChoice& choice) {
    result_.points.push_back({name, choice, space_->cost(choice), evaluate(choice)});
  }

  /// The vendor's estimate of every point; known ones come from the journal.
  void ask_about_points() {
    ProgressStage stage(progress_, "estimate", std::ssize(result_.points));
    for (MixedPoint& point : result_.points) {
      const std::string key = format("estimate {}", join(layer_bits_of(point.choice), " "));
      if (const Json* known = journal_->find(key)) {
        const std::string origin = in_output("pareto.journal").string();
        point.vendor = vendor_view_from_json(JsonCursor(*known, origin));
      } else {
        point.vendor = ask_vendor(space_->quantized(point.choice), recipe_.soc,
                                  recipe_.input_shapes, progress_);
        journal_->append(key, to_json(*point.vendor));
      }
      stage.step();
    }
  }

  [[nodiscard]] mixed_precision::SearchOptions search_options() const {
    mixed_precision::SearchOptions options{.max_loss = options_.max_loss,
                                           .max_cost = options_.max_latency_us,
                                           .max_evaluations = options_.max_evaluations};
    if (options_.max_raised_weights < 1.0 && !options.max_cost) options.max_cost = kForbiddenUs / 2;
    return options;
  }

  /// Predicted time, and a little for traffic that is hidden behind it: it costs energy, and of two
  /// models of one time the smaller is taken. Too many raised weights cost more than anything.
  [[nodiscard]] double search_cost(const WidthCost& cost) const {
    constexpr double kHiddenTrafficUsPerByte = 1e-6;
    const bool is_forbidden = cost.raised_weight_share > options_.max_raised_weights;
    return cost.time_us + kHiddenTrafficUsPerByte * static_cast<double>(cost.ddr_bytes) +
           (is_forbidden ? kForbiddenUs : 0.0);
  }

  void search() {
    const std::vector<WidthUnit> units = space_->units(result_.sensitivity);
    std::vector<mixed_precision::RaisableUnit> plain;
    for (const WidthUnit& unit : units) plain.push_back(unit.unit);
    const auto choice_of = [&](const Assignment& raised) {
      WidthChoice choice;
      for (std::size_t u = 0; u < units.size(); ++u) {
        if (raised[u]) merge_widths(units[u].choice, choice);
      }
      return choice;
    };
    const mixed_precision::CostFunction cost = [&](const Assignment& raised) {
      if (progress_.cancelled()) throw Error(ErrorCode::kCancelled, "stopped during search");
      return search_cost(space_->cost(choice_of(raised)));
    };
    const mixed_precision::SearchResult found = mixed_precision::search_widths(
        plain, cost, [&](const Assignment& raised) { return evaluate(choice_of(raised)); },
        search_options());
    for (const mixed_precision::SearchPoint& point : found.points) {
      add_point(point.name, choice_of(point.raised));
    }
    result_.chosen = found.chosen;
    result_.meets_target =
        found.meets_target &&
        result_.points[found.chosen].cost.raised_weight_share <= options_.max_raised_weights;
  }

  void evaluate_rule() {
    add_point("base", {});
    const bool by_ratio = options_.rule == WidthRule::kInt16Ratio;
    add_point(by_ratio ? format("int16-ratio {}", options_.int16_ratio)
                       : format("snr-below {}", options_.snr_below_db),
              by_ratio ? most_sensitive() : lowest_snr());
    result_.chosen = 1;
    const MixedPoint& chosen = result_.points.back();
    result_.meets_target =
        (!options_.max_loss || chosen.evaluated.loss <= *options_.max_loss) &&
        (!options_.max_latency_us || chosen.cost.time_us <= *options_.max_latency_us);
  }

  /// The article's rule: layers with weights by the loss that quantizing their weights causes;
  /// where losses are equal (a rate over few samples), by their noise.
  [[nodiscard]] WidthChoice most_sensitive() const {
    const Candidate candidate{CandidateKind::kWeights, recipe_.weight_bits, kFloatBits};
    std::vector<std::pair<const SensitivityRow*, const Effect*>> rows;
    for (const SensitivityRow& row : result_.sensitivity.layers) {
      if (const Effect* effect = row.find(candidate)) rows.emplace_back(&row, effect);
    }
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
      if (a.second->loss != b.second->loss) return a.second->loss > b.second->loss;
      return a.second->sqnr_db < b.second->sqnr_db;
    });
    const auto count = static_cast<std::size_t>(
        std::floor(options_.int16_ratio * static_cast<double>(rows.size())));
    WidthChoice choice;
    for (std::size_t i = 0; i < count; ++i) choice[rows[i].first->name] = kAllWide;
    return choice;
  }

  [[nodiscard]] WidthChoice lowest_snr() const {
    WidthChoice choice;
    for (const WeightNoise& row :
         measure_weight_noise(recipe_.model, recipe_.weight_bits, recipe_.soc)) {
      const auto& layers = space_->sequence().layers;
      const bool is_layer =
          std::any_of(layers.begin(), layers.end(),
                      [&](const LayerStretch& layer) { return layer.node == row.layer; });
      if (is_layer && row.snr_db < options_.snr_below_db) choice[row.layer] = kAllWide;
    }
    return choice;
  }

  /// Quantizes with the chosen widths by all stages. When the model then misses a loss that its
  /// point met, on the same samples or on those kept back, that loss is what is believed of the
  /// point, and the next one is tried.
  void write_final() {
    constexpr int kMostTries = 3;
    const std::filesystem::path folder = recipe_.output;
    StagedDirectory output(options_.folder.empty() ? folder : options_.folder);
    for (int attempt = 1;; ++attempt) {
      Recipe recipe = recipe_;
      recipe.evaluation.enabled = true;
      for (const std::string& entry : layer_bits_of(result_.points[result_.chosen].choice)) {
        recipe.layer_bits.push_back(entry);
      }
      QuantizeJob job = run_quantize_job(recipe, output.path(), threads_, progress_);
      result_.final_model = job.result;
      result_.kept_back =
          score_kept_back(recipe, space_->forms().model.original, open_float_,
                          output.path() / quantized_file(recipe), threads_, progress_);
      const double verified =
          std::max(job.result.loss, result_.kept_back ? result_.kept_back->loss : job.result.loss);
      const bool misses = options_.max_loss && verified > *options_.max_loss;
      if (misses && attempt < kMostTries && take_next(verified)) continue;
      if (options_.max_loss) {
        result_.meets_target = job.result.loss <= *options_.max_loss && is_within_limits();
      }
      append(result_.findings, job.result.findings);
      report_luck();
      if (!result_.sensitivity.layers.empty()) {
        job.report.sensitivity = mixed_precision::to_json(result_.sensitivity);
      }
      job.report.search = to_json(result_);
      result_.report = std::move(job.report);
      write_reports(output.path(), "mixed-precision", result_.report);
      break;
    }
    write_tables(output.path());
    output.commit();
  }

  /// A target that is met on the samples of the search alone.
  void report_luck() {
    if (!options_.max_loss || !result_.kept_back || !result_.meets_target) return;
    const KeptBackScore& kept = *result_.kept_back;
    if (kept.loss <= *options_.max_loss) return;
    result_.findings.push_back(
        {"target-missed-on-other-samples", Severity::kWarning, recipe_.model,
         format("the loss is {:.4g} over {} samples that the search has not seen, {:.4g} over the "
                "{} that it chose by",
                kept.loss, kept.samples, result_.final_model.loss,
                result_.final_model.evaluated_samples),
         "search on more samples (--evaluate N), or with a lower --max-loss"});
  }

  /// The chosen point against the limits that need no evaluation.
  [[nodiscard]] bool is_within_limits() const {
    const WidthCost& cost = result_.points[result_.chosen].cost;
    const bool is_search = options_.rule == WidthRule::kSearch;
    return (!options_.max_latency_us || cost.time_us <= *options_.max_latency_us) &&
           (!is_search || cost.raised_weight_share <= options_.max_raised_weights);
  }

  /// @return false when no other point meets the target
  bool take_next(double verified_loss) {
    verified_losses_[result_.chosen] = verified_loss;
    const mixed_precision::Choice choice =
        mixed_precision::choose_point(plain_points(), search_options());
    if (!choice.meets_target) return false;
    result_.chosen = choice.point;
    return true;
  }

  /// The points as the search sees them, with the losses that were verified.
  [[nodiscard]] std::vector<mixed_precision::SearchPoint> plain_points() const {
    std::vector<mixed_precision::SearchPoint> points;
    for (const MixedPoint& point : result_.points) {
      points.push_back({point.name, {}, search_cost(point.cost), point.evaluated});
    }
    for (const auto& [point, loss] : verified_losses_) points[point].verified_loss = loss;
    return points;
  }

  void write_tables(const std::filesystem::path& folder) const {
    if (!result_.sensitivity.layers.empty()) {
      write_file(folder / "sensitivity.json",
                 to_text(mixed_precision::to_json(result_.sensitivity)));
    }
    write_file(folder / "pareto.json", to_text(to_json(result_)));
    write_file(folder / "pareto.csv", pareto_csv(result_));
    write_file(folder / "pareto.svg", pareto_svg(result_));
  }

  Recipe recipe_;
  MixedPrecisionOptions options_;
  int threads_;
  ProgressSink& progress_;
  std::unique_ptr<WidthSpace> space_;
  EvaluationTask task_;
  evaluate::OpenSession open_float_;  ///< runs each sample once for all points
  std::unique_ptr<Journal> journal_;
  std::map<std::size_t, double> verified_losses_;  ///< of points whose final model missed
  MixedPrecisionResult result_;
};

}  // namespace

MixedPrecisionResult choose_widths(const Recipe& recipe, const MixedPrecisionOptions& options,
                                   int threads, ProgressSink& progress) {
  return Chooser(recipe, options, threads, progress).run();
}

}  // namespace hexquant::pipeline
