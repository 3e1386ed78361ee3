#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "hexquant/progress.h"
#include "hexquant/quantize.h"
#include "hexquant/recipe.h"
#include "mixed_precision/pareto_search.h"
#include "mixed_precision/sensitivity_table.h"
#include "pipeline/kept_back.h"
#include "pipeline/vendor_view.h"
#include "pipeline/width_space.h"
#include "report/report.h"

namespace hexquant::pipeline {

/// How the widths are chosen.
enum class WidthRule {
  kInt16Ratio,  ///< the article's rule: 16 bits for a share of the layers, the most sensitive first
  kSnrBelow,    ///< its other rule: 16 bits for layers whose weights have a low SNR
  kSearch       ///< gain over predicted cost, every point really evaluated
};

struct MixedPrecisionOptions {
  WidthRule rule = WidthRule::kInt16Ratio;
  double int16_ratio = 0.2;    ///< of the layers with weights, rounded down
  double snr_below_db = 25.0;  ///< of the weights at the recipe's width, one scale a tensor
  std::optional<double> max_loss = std::nullopt;        ///< of the metric, in its own unit
  std::optional<double> max_latency_us = std::nullopt;  ///< predicted
  /// kSearch: share of the weights (elements) that may have more bits than the recipe's.
  double max_raised_weights = 1.0;
  int max_evaluations = 24;           ///< kSearch: models really evaluated
  std::filesystem::path sensitivity;  ///< table made before; empty = measured now
  double time_limit_s = 600.0;        ///< of each run of a metric program
  bool estimate = false;              ///< ask the vendor's simulator about every point
  /// Where the result is written; empty = recipe.output, which holds the journals in any case.
  std::filesystem::path folder;
};

/// A model that was evaluated.
struct MixedPoint {
  std::string name;
  WidthChoice choice;
  WidthCost cost;
  mixed_precision::Evaluated evaluated;
  std::optional<VendorView> vendor = std::nullopt;  ///< with MixedPrecisionOptions::estimate
};

struct MixedPrecisionResult {
  std::string metric;
  double reference = 0.0;          ///< the float model's
  std::vector<MixedPoint> points;  ///< those of the search, on the scored samples
  std::vector<std::size_t> front;  ///< no other point beats them, by cost
  std::size_t chosen = 0;
  bool meets_target = true;  ///< as searched, and as the final model was verified
  std::optional<double> max_loss;
  std::optional<double> max_latency_us;
  mixed_precision::SensitivityTable sensitivity;  ///< empty for kSnrBelow
  report::QuantizeReport report;                  ///< of the final model
  QuantizeResult final_model;  ///< quantized with the chosen widths by all stages, and verified
  std::optional<KeptBackScore> kept_back;  ///< of the final model, where samples are left
  Findings findings;
};

/// Chooses a width for every layer and quantizes the model with them.
///
/// The search scores on what recipe.evaluation names, by default on the calibrated samples; the
/// final model is verified as quantize() does, and scored on samples that the search has not seen,
/// where there are some. recipe.output holds what quantize() writes, with the widths as layer_bits
/// in recipe.json, and sensitivity.json, pareto.json, pareto.csv, pareto.svg. Finished work is kept
/// there in journals, so that an interrupted run goes on.
/// @throws Error as quantize() and measure_sensitivity(); with `estimate` Error(kMissingComponent)
/// before any work when the vendor's package is not installed
[[nodiscard]] MixedPrecisionResult choose_widths(const Recipe& recipe,
                                                 const MixedPrecisionOptions& options, int threads,
                                                 ProgressSink& progress);

/// Members of docs/schema/mixed-precision.schema.json after the header.
[[nodiscard]] Json to_json(const MixedPrecisionResult& result);

/// The evaluated points as CSV, and as a picture: loss over predicted time, the front joined.
[[nodiscard]] std::string pareto_csv(const MixedPrecisionResult& result);
[[nodiscard]] std::string pareto_svg(const MixedPrecisionResult& result);

}  // namespace hexquant::pipeline
