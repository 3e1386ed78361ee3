#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "hexquant/recipe.h"

namespace hexquant {

/// What quantize() did, in numbers. Metrics are fractions 0..1; NaN = not measured.
struct QuantizeResult {
  std::filesystem::path output;             ///< folder that holds model.onnx, report.html, ...
  std::string metric;                       ///< "top1", "sqnr", ...
  std::map<std::string, double> fp32;       ///< metrics of the float model, by name
  std::map<std::string, double> quantized;  ///< metrics of the quantized model
  double sqnr_db = 0.0;                     ///< of the outputs; +inf when equal
  double cosine = 0.0;
  double agreement = 0.0;  ///< share of samples with the same argmax
  std::int64_t calibration_samples = 0;
  std::int64_t evaluated_samples = 0;     ///< samples behind the metrics
  std::map<std::string, double> seconds;  ///< wall time by stage, and "total"
  Findings findings;
};

/// Post-training quantization of recipe.model: prepares the graph, calibrates in one pass over the
/// data, plans by the target's rules, quantizes and writes recipe.output (see docs).
///
/// @param threads  >= 1; results do not depend on it
/// @throws Error; then nothing was written to recipe.output
[[nodiscard]] QuantizeResult quantize(const Recipe& recipe, int threads = 1,
                                      ProgressSink& progress = silent_progress());

}  // namespace hexquant
