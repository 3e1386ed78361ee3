#pragma once

#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "pipeline/border_changes.h"
#include "pipeline/optimize.h"
#include "runtime/session.h"

namespace hexquant::pipeline {

/// How near the optimized model must stay to the original.
enum class Closeness {
  kRounding,        ///< the same sums in another order
  kBorder,          ///< also: padding stands for a neighbouring level
  kCodes,           ///< a quantized model: a sum on the border between two codes may fall to either
  kAnotherFunction  ///< changed on request: no demand
};

/// Float sums in another order: networks of 50 layers measured 95 to 130 dB; below 60 dB something
/// else than rounding is at work.
inline constexpr double kRoundingSqnrDb = 60.0;
/// ... unless all outputs are as small as the rounding of a number near 1: a detector that sees
/// nothing answers 1e-7.
inline constexpr double kRoundingMaxAbs = 1e-6;
/// One code in some hundred falls to the other side.
inline constexpr double kCodesSqnrDb = 25.0;
/// Levels that are off by up to a tenth at the border only.
inline constexpr double kBorderSqnrDb = 15.0;
/// Share of samples that keep their class, where data is given (noise has no classes to keep).
inline constexpr double kMinAgreement = 0.995;

/// Runs both models and compares their outputs. @param borders  how the changed model is fed
[[nodiscard]] OptimizeCheck check_optimized(const graph::Graph& original,
                                            const graph::Graph& changed,
                                            const BorderChanges& borders,
                                            const data::Dataset& dataset, Closeness closeness,
                                            bool on_data, int threads, ProgressSink& progress);

}  // namespace hexquant::pipeline
