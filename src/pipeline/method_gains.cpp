#include "pipeline/method_gains.h"

#include <cmath>
#include <cstdint>
#include <utility>

#include "core/median.h"

namespace hexquant::pipeline {
namespace {

using weights::RoundingReport;

MethodGain equalization_gain(const EqualizationResult& result) {
  MethodGain row{.method = "equalization", .unit = "groups"};
  std::vector<double> gains_db;
  row.total = static_cast<std::int64_t>(result.groups.size());
  for (const weights::EqualizedGroup& group : result.groups) {
    if (result.reverted || group.strength <= 0.0) continue;
    ++row.changed;
    if (group.error_before > 0.0 && group.error_after > 0.0) {
      gains_db.push_back(10.0 * std::log10(group.error_before / group.error_after));
    }
  }
  row.median_gain_db = median(std::move(gains_db));
  return row;
}

/// Of all layers whose errors before and after a step are known and not 0.
MethodGain rounding_gain(const char* method, const std::vector<RoundingReport>& rounding,
                         double RoundingReport::*before, double RoundingReport::*after) {
  MethodGain row{.method = method, .unit = "layers"};
  std::vector<double> gains_db;
  for (const RoundingReport& layer : rounding) {
    if (std::isnan(layer.*before)) continue;
    ++row.total;
    if (layer.*after < layer.*before) ++row.changed;
    if (layer.*before > 0.0 && layer.*after > 0.0) {
      gains_db.push_back(10.0 * std::log10(layer.*before / layer.*after));
    }
  }
  row.median_gain_db = median(std::move(gains_db));
  return row;
}

}  // namespace

std::vector<MethodGain> method_gains(const QuantizeOptions& options,
                                     const EqualizationResult& equalization,
                                     const std::vector<RoundingReport>& rounding) {
  std::vector<MethodGain> rows;
  if (options.equalize) rows.push_back(equalization_gain(equalization));
  if (!options.rounding) return rows;
  const weights::RoundingOptions& solver = options.rounding->solver;
  const auto add = [&](bool taken, const char* method, double RoundingReport::*before,
                       double RoundingReport::*after) {
    if (taken) rows.push_back(rounding_gain(method, rounding, before, after));
  };
  add(solver.clip_search, "clip search", &RoundingReport::error_min_max,
      &RoundingReport::error_clip);
  add(solver.gptq, "GPTQ", &RoundingReport::error_clip, &RoundingReport::error_gptq);
  add(solver.coordinate_descent, "coordinate descent", &RoundingReport::error_gptq,
      &RoundingReport::error);
  add(std::any_of(rounding.begin(), rounding.end(),
                  [](const RoundingReport& layer) { return !std::isnan(layer.clamped_before); }),
      "behind Relu or Clip", &RoundingReport::clamped_before, &RoundingReport::clamped_after);
  if (options.rounding->correct_bias) {
    rows.push_back({.method = "bias correction",
                    .unit = "layers",
                    .changed = std::count_if(
                        rounding.begin(), rounding.end(),
                        [](const RoundingReport& layer) { return layer.bias_shift > 0.0; }),
                    .total = static_cast<std::int64_t>(rounding.size())});
  }
  return rows;
}

}  // namespace hexquant::pipeline
