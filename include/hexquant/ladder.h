#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "hexquant/quantize.h"
#include "hexquant/recipe.h"

namespace hexquant {

/// How far the ladder may climb.
struct LadderOptions {
  /// Loss of the metric that is still good enough, in its own unit: 0.01 of top1 is one point; the
  /// rise for perplexity.
  double max_loss = 0.01;
  /// No further rung is started after this many seconds, and training ends then; 0 = no limit.
  double max_seconds = 0.0;
};

/// One method, tried or not.
struct Rung {
  std::string method;  ///< "ptq", "cle + adaptive-rounding", "mixed precision", ...
  std::string reason;  ///< why it was tried, or why it was not
  bool ran = false;
  double value = 0.0;  ///< of the metric
  double loss = 0.0;   ///< against float; positive is worse
  bool meets_target = false;
  double predicted_us = 0.0;  ///< on the chip's NPU; an estimate
  double seconds = 0.0;
};

struct LadderResult {
  std::filesystem::path output;
  std::string metric;
  double reference = 0.0;  ///< the metric of the float model
  std::vector<Rung> rungs;
  std::size_t chosen = 0;  ///< the cheapest rung that meets the target; else the most accurate
  bool meets_target = false;
  bool interrupted = false;  ///< cancelled: what was finished by then is the result
  /// Without success: layers whose outputs depart most from the float model, worst first.
  std::vector<std::string> blamed_layers;
  QuantizeResult best;  ///< of the chosen rung
};

/// Tries ever more costly methods until the accuracy is good enough: post-training quantization,
/// equalization with adaptive rounding, mixed precision, 16-bit activations, and, where
/// recipe.training names data, quantization-aware training. Stops at the first that meets the
/// target. recipe.output then holds that rung's files, as quantize() writes them, and a report with
/// the rungs.
///
/// Scoring is always on; without data of its own it uses samples behind the calibrated ones.
/// Samples that are in both sets are a finding.
/// @throws Error as quantize(); when cancelled after a rung was finished, the result holds that
[[nodiscard]] LadderResult climb_ladder(const Recipe& recipe, const LadderOptions& options,
                                        int threads = 1,
                                        ProgressSink& progress = silent_progress());

}  // namespace hexquant
