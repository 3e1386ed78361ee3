#pragma once

#include <filesystem>
#include <string>

#include "core/json.h"
#include "hexquant/progress.h"
#include "hexquant/quantize.h"
#include "hexquant/recipe.h"
#include "report/report.h"

namespace hexquant::pipeline {

/// One model quantized, scored and predicted; its report is not written yet.
struct QuantizeJob {
  QuantizeResult result;
  report::QuantizeReport report;
};

struct TrainingHooks;

/// Runs a recipe and writes the models and encodings to `folder`, which exists.
/// @param recipe    `recipe.output` is only named in the result, and holds the state of training
/// @param training  trains the model when the recipe says so; null: quantizes only
[[nodiscard]] QuantizeJob run_quantize_job(const Recipe& recipe,
                                           const std::filesystem::path& folder, int threads,
                                           ProgressSink& progress,
                                           const TrainingHooks* training = nullptr);

/// Writes report.json and report.html as the result of `command`.
void write_reports(const std::filesystem::path& folder, const std::string& command,
                   const report::QuantizeReport& report);

/// Adds a section's data to report.html of `folder`, or replaces them: "checklist" (what `check`
/// gives) or "sensitivity".
/// @return false when there is no such page
/// @throws Error(kIo)
bool update_page(const std::filesystem::path& folder, const std::string& member, Json value);

}  // namespace hexquant::pipeline
