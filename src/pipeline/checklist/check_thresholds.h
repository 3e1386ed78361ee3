#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"

namespace hexquant::pipeline {

/// What `hexquant check` demands: the article's figures, and ours where it gives none.
struct CheckThresholds {
  std::int64_t min_samples = 200;
  std::int64_t recommended_samples = 500;
  double min_class_share = 0.1;      ///< smallest class against an equal share
  double max_near_duplicates = 0.1;  ///< share of the samples
  double max_out_of_range = 0.01;    ///< share of the scored samples' input values
  double max_outside_edges = 0.05;   ///< share of scored samples beyond every calibrated one
  double min_per_channel = 1.0;      ///< share of the layers with weights
  double max_range_excess_db = 3.0;  ///< error of an activation's range above the best one's
  double min_cosine = 0.995;
  double min_sqnr_db = 30.0;
  double max_metric_loss = 0.01;
  double min_vtcm_utilization = 0.7;
  std::int64_t stability_runs = 1000;
  std::int64_t stability_runs_htp = 100;
  double max_memory_growth_mb = 1.0;
  double max_memory_share = 0.6;  ///< of the device's
  double max_slowdown = 0.05;     ///< last tenth of the runs against the first
};

/// The article's figures with those of a JSON file in their place.
/// @throws Error(kInvalidData) naming an unknown key or a value that is no number above or at 0
[[nodiscard]] CheckThresholds read_thresholds(const std::string& path);

[[nodiscard]] Json to_json(const CheckThresholds& thresholds);

}  // namespace hexquant::pipeline
