#pragma once

#include <filesystem>
#include <string>

#include "hexquant/progress.h"
#include "hexquant/recipe.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "target/target.h"

namespace hexquant::pipeline {

/// The recipe of a folder that quantize, mixed-precision, auto or qat wrote.
/// @throws Error(kInvalidArgument) when it holds no recipe.json; Error(kIo), Error(kInvalidData)
[[nodiscard]] Recipe folder_recipe(const std::filesystem::path& folder);

/// Training from recipe.training.start takes widths, weights and encodings from there: what else
/// the recipe says of quantization must be what that folder was made with.
/// @throws Error(kInvalidArgument) naming the option that differs, a float model that is not there,
///         or a model file that the folder lacks; as folder_recipe()
void check_start(const Recipe& recipe);

/// The stages from the float model to the quantized graph, with the numbers of the folder
/// recipe.training.start in place of calibration and rounding: its encodings, and its weights in
/// `weights_on_grid`, where those whose nearest rounding they are stay float (the same codes, and
/// nothing of the model is lost). Calibration data are read for cross-layer equalization alone.
/// @throws Error(kInvalidData) naming file, node or tensor that does not fit the float model or the
///         recipe
[[nodiscard]] QuantizedModel load_stages(const Recipe& recipe, const QuantizeOptions& options,
                                         const target::Target& target, int threads,
                                         ProgressSink& progress);

}  // namespace hexquant::pipeline
