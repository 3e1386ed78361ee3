#pragma once

#include <filesystem>
#include <string>

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

/// Runs a recipe and writes the models and encodings to `folder`, which exists.
/// @param recipe  `recipe.output` is only named in the result
[[nodiscard]] QuantizeJob run_quantize_job(const Recipe& recipe,
                                           const std::filesystem::path& folder, int threads,
                                           ProgressSink& progress);

/// Writes report.json and report.html as the result of `command`.
void write_reports(const std::filesystem::path& folder, const std::string& command,
                   const report::QuantizeReport& report);

}  // namespace hexquant::pipeline
