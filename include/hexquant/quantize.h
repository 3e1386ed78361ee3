#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "hexquant/recipe.h"

namespace hexquant {

/// What one weight method did, layer by layer (equalization: group by group).
struct MethodGain {
  std::string method;        ///< "clip search", "GPTQ", ... in the order in which they ran
  std::string unit;          ///< what is counted: "layers" or "groups"
  std::int64_t changed = 0;  ///< those that it improved; bias correction: those whose bias moved
  std::int64_t total = 0;
  /// Median over the layers, or the groups that were changed, of the fall of the error; NaN = not
  /// measured for itself (bias correction: what the other methods report counts on it).
  double median_gain_db = std::numeric_limits<double>::quiet_NaN();
};

/// What quantize() did, in numbers. Metrics are fractions 0..1; NaN = not measured.
struct QuantizeResult {
  std::filesystem::path output;             ///< folder that holds model.onnx, report.html, ...
  std::string metric;                       ///< "top1", "sqnr", ...
  std::map<std::string, double> fp32;       ///< metrics of the float model, by name
  std::map<std::string, double> quantized;  ///< metrics of the quantized model
  /// 95 % paired interval of the metric's change quantized - float; absent where the metric is not
  /// a mean over samples.
  std::optional<std::pair<double, double>> interval;
  /// How much worse than float, in the metric's unit (positive; 1 - cosine); NaN for sqnr.
  double loss = 0.0;
  double sqnr_db = 0.0;  ///< of the outputs; +inf when equal
  double cosine = 0.0;
  double agreement = 0.0;  ///< share of samples with the same argmax
  /// Predicted time on the chip's NPU (docs/methods/latency-model.md): an estimate.
  double predicted_us = 0.0;
  std::int64_t calibration_samples = 0;
  std::int64_t evaluated_samples = 0;     ///< samples behind the metrics
  std::map<std::string, double> seconds;  ///< wall time by stage, and "total"
  std::vector<MethodGain> methods;        ///< weight methods that ran; empty without --algorithms
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
