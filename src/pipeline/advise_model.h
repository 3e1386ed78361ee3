#pragma once

#include <string>
#include <vector>

#include "perf/advice.h"
#include "pipeline/analyze_model.h"

namespace hexquant::pipeline {

/// The model that advice is given on.
struct AdvisedModel {
  std::string file;
  std::string recipe;         ///< recipe.json of the run that quantized it; empty = not known
  bool is_quantized = false;  ///< with Q/DQ
};

/// A model on disk; the recipe is the one beside it, where `quantize` left it.
[[nodiscard]] AdvisedModel advised_model(const std::string& file, bool is_quantized);

/// perf::advise() on an analysis, each `command` complete: it runs as it stands behind the
/// program's name, but for words in capitals, which only the user knows.
[[nodiscard]] std::vector<perf::Advice> advise_model(const Analysis& analysis,
                                                     const perf::PredictOptions& options,
                                                     const AdvisedModel& model);

}  // namespace hexquant::pipeline
