#include <cmath>

#include "core/decibel.h"
#include "core/format.h"
#include "pipeline/checklist/check_scene.h"

namespace hexquant::pipeline {
namespace {

constexpr const char* kGroup = "accuracy";

bool is_share(const std::string& metric) {
  return metric == "top1" || metric == "top5";
}

CheckItem check_cosine(const CheckScene& scene, const Json& summary) {
  const double least = scene.thresholds.min_cosine;
  const std::string threshold = format("> {}", least);
  if (!summary.at("cosine").is_number()) {
    return not_measured(threshold, "the report has no cosine",
                        from_recipe("quantize", scene, "--evaluate"));
  }
  const double cosine = summary.at("cosine").get<double>();
  const std::string figure = format("{:.5f}", cosine);
  if (cosine > least) return passed(figure, threshold);
  return failed(figure, threshold, "outputs point elsewhere than the float model's",
                from_recipe("quantize", scene, "--algorithms cle,adaptive-rounding"));
}

/// Points of cosine that noise of this strength costs: 1 - cos ~ (noise / signal) / 2 where the
/// noise is small and has nothing to do with the signal.
double cosine_points(double sqnr_db) {
  return 100.0 * 0.5 * noise_ratio(sqnr_db);
}

CheckItem check_sqnr(const CheckScene& scene, const Json& summary) {
  const double least = scene.thresholds.min_sqnr_db;
  const std::string threshold = format("> {} dB", least);
  if (summary.at("exact").get<bool>()) return passed("exact", threshold);
  if (!summary.at("sqnr_db").is_number()) {
    return not_measured(threshold, "the report has no SQNR",
                        from_recipe("quantize", scene, "--evaluate"));
  }
  const double sqnr = summary.at("sqnr_db").get<double>();
  const std::string figure = format("{:.1f} dB", sqnr);
  if (sqnr > least) return passed(figure, threshold);
  return failed(figure, threshold, "quantization noise at the outputs",
                from_recipe("mixed-precision", scene,
                            format("--metric cosine --max-loss {:.2g}", cosine_points(least))));
}

CheckItem check_metric(const CheckScene& scene, const Json& summary) {
  const double most = scene.thresholds.max_metric_loss;
  const auto metric = summary.at("metric").get<std::string>();
  const std::string threshold = format("< {:.2f} %", 100.0 * most);
  const Json& before = summary.at("fp32").at("value");
  const Json& after = summary.at("quantized").at("value");
  if (metric == "sqnr" || metric == "cosine" || !before.is_number() || !after.is_number()) {
    return not_measured(
        threshold, "no metric of the task was evaluated: labels are missing",
        from_recipe("quantize", scene, "--evaluate --eval-data DATA --labels LABELS"));
  }
  // Points of a share; of anything else the part that was lost, whichever direction is better.
  const double difference = before.get<double>() - after.get<double>();
  const bool lower_is_better = metric == "perplexity";
  const double lost = lower_is_better ? -difference : difference;
  const double size = std::abs(before.get<double>());
  const double loss = is_share(metric) || size == 0.0 ? lost : lost / size;
  const std::string figure = format("{} {:.4g} -> {:.4g}: {:+.2f} %", metric, before.get<double>(),
                                    after.get<double>(), loss == 0.0 ? 0.0 : -100.0 * loss);
  if (loss < most) return passed(figure, threshold);
  return failed(figure, threshold, "the quantized model loses too much of its metric",
                from_recipe("auto", scene, format("--max-loss {:.2g}", 100.0 * most)));
}

}  // namespace

std::vector<CheckItem> check_accuracy(const CheckScene& scene) {
  const Json& summary = scene.report.at("summary");
  return {as(check_cosine(scene, summary), "accuracy.cosine", kGroup,
             "Cosine similarity of the outputs"),
          as(check_sqnr(scene, summary), "accuracy.sqnr", kGroup,
             "Signal to quantization noise of the outputs"),
          as(check_metric(scene, summary), "accuracy.metric", kGroup, "Loss of the task's metric")};
}

}  // namespace hexquant::pipeline
