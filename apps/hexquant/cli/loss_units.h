#pragma once

#include <string>

namespace hexquant::cli {

/// Rates and correlations are given and shown in points, hundredths; other metrics in their own
/// unit.
[[nodiscard]] inline bool is_in_points(const std::string& metric) {
  return metric == "top1" || metric == "top5" || metric == "cosine" || metric == "spearman-pairs";
}

/// A loss from the command line in the metric's own unit. No metric named: top1 or sqnr.
[[nodiscard]] inline double own_unit_loss(double given, const std::string& metric) {
  return metric.empty() || is_in_points(metric) ? given / 100.0 : given;
}

}  // namespace hexquant::cli
