#pragma once

#include <filesystem>

#include "hexquant/finding.h"
#include "hexquant/recipe.h"
#include "pipeline/quantize_pipeline.h"

namespace hexquant::pipeline {

/// Writes model.onnx, model_float.onnx, model.encodings, overrides.json and recipe.json.
/// @return what the version of the encodings file cannot express
/// @throws Error(kIo)
[[nodiscard]] Findings write_outputs(const std::filesystem::path& folder,
                                     const QuantizedModel& model, const Recipe& recipe,
                                     int threads);

}  // namespace hexquant::pipeline
