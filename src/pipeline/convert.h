#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "pipeline/convert_options.h"
#include "pipeline/convert_recipe.h"
#include "pipeline/qairt_commands.h"

namespace hexquant::pipeline {

/// What a conversion made.
struct ConvertResult {
  bool quantized = false;                    ///< false: no --input_list
  std::vector<std::filesystem::path> files;  ///< written, in the order of the documentation
  QairtCommands commands;
  /// Against the float model, over at most 8 samples; NaN when nothing was quantized.
  double sqnr_db = std::numeric_limits<double>::quiet_NaN();
  double cosine = std::numeric_limits<double>::quiet_NaN();
  std::int64_t calibration_samples = 0;
  Findings findings;
};

/// Path of the results without extension: --output_path, else the model's, without its extension.
[[nodiscard]] std::filesystem::path result_stem(const ConvertArguments& arguments);

/// Does what qnn-onnx-converter is asked to do, as far as this program can: see docs of the
/// command.
///
/// Writes, for --output_path X.cpp: X.onnx (Q/DQ; X_quantized.onnx when X.onnx is the model),
/// X_float.onnx, X.encodings, X_overrides.json, X_net.json, X_recipe.json; X_source.onnx where
/// inputs or outputs are not the model's; X_quantsim_config.json where a recipe cannot say what is
/// asked. Without --input_list only X_float.onnx and X_net.json.
/// @param command  command line for X_net.json
/// @throws Error; then nothing was written
[[nodiscard]] ConvertResult convert(const ConvertArguments& arguments, const ConvertExtras& extras,
                                    const std::string& command, int threads,
                                    ProgressSink& progress);

/// Plan, sizes and problems, without doing anything (--dry_run).
[[nodiscard]] std::string convert_dry_run(const ConvertArguments& arguments,
                                          const ConvertExtras& extras);

}  // namespace hexquant::pipeline
