#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "hexquant/recipe.h"
#include "mixed_precision/sensitivity_table.h"

namespace hexquant::pipeline {

/// Settings of a sensitivity analysis beyond those of the recipe.
struct SensitivityOptions {
  /// Of layers and blocks; empty = weights and activation of layers, both of blocks.
  std::vector<mixed_precision::CandidateKind> kinds;
  /// Each for weights and activations: 4, 8, 16, 32 = the float row; empty = the recipe's own.
  std::vector<int> widths;
  bool blocks = true;  ///< measure blocks too
  /// Of the whole process, as far as values held between layers can keep it there.
  std::int64_t max_memory_bytes = std::int64_t{2} << 30;
  std::filesystem::path journal;  ///< keeps finished rows; empty = none
  std::string score_output;       ///< output that is scored; empty = the first that fits
  double time_limit_s = 600.0;    ///< of each run of a metric program
  std::int64_t max_samples = 0;   ///< scored at most, the first ones; 0 = all
};

struct SensitivityResult {
  mixed_precision::SensitivityTable table;
  std::size_t resumed_rows = 0;  ///< taken from the journal
  std::size_t measured_rows = 0;
  double float_pass_seconds = 0.0;  ///< one pass of the float model over the scored samples
  double seconds = 0.0;             ///< everything
  Findings findings;
};

/// Quantizes one layer at a time, and one block at a time, everything else being float, and scores
/// each model: by prefix reuse, each float layer running once and each candidate only from its
/// layer to the outputs (docs/methods/sensitivity.md).
///
/// Scored are the samples of recipe.evaluation.data, by default those of the calibration.
/// @throws Error; rows finished before are in the journal
[[nodiscard]] SensitivityResult measure_sensitivity(const Recipe& recipe,
                                                    const SensitivityOptions& options, int threads,
                                                    ProgressSink& progress);

}  // namespace hexquant::pipeline
