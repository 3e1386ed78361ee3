#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "evaluate/evaluate_models.h"
#include "graph/graph.h"
#include "hexquant/progress.h"
#include "hexquant/recipe.h"

namespace hexquant::pipeline {

/// How a model does on samples that no choice has looked at.
struct KeptBackScore {
  std::int64_t samples = 0;
  double reference = 0.0;  ///< metric of the float model
  double value = 0.0;      ///< of the quantized one
  double loss = 0.0;       ///< in the metric's unit
  double sqnr_db = 0.0;    ///< of the outputs
};

/// Scores a model on as many samples behind the scored ones of `recipe` as it scores, or as there
/// are. Nothing when fewer than half as many are left, when the scored samples are not the first
/// ones, and for a metric program or plug-in, which may count on an output for every label.
/// @param original       the float model: its inputs decide how data is read
/// @param open_original  runs it
/// @param quantized      file of the Q/DQ model
/// @throws Error as evaluate_models()
[[nodiscard]] std::optional<KeptBackScore> score_kept_back(
    const Recipe& recipe, const graph::Graph& original, const evaluate::OpenSession& open_original,
    const std::filesystem::path& quantized, int threads, ProgressSink& progress);

}  // namespace hexquant::pipeline
