#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hexquant/finding.h"
#include "hexquant/recipe.h"
#include "pipeline/quantize_pipeline.h"

namespace hexquant::pipeline {

/// Outputs and constants of the operations that stay float, each once, in graph order. Constants
/// that integer operations read as well are left out.
[[nodiscard]] std::vector<std::string> float_tensors(const graph::Graph& graph,
                                                     const quant::QuantPlan& plan);

/// Writes PREFIX.onnx, PREFIX_float.onnx, PREFIX.encodings (recipe.prefix), overrides.json and
/// recipe.json.
/// @return what the version of the encodings file cannot express
/// @throws Error(kIo)
[[nodiscard]] Findings write_outputs(const std::filesystem::path& folder,
                                     const QuantizedModel& model, const Recipe& recipe,
                                     int threads);

}  // namespace hexquant::pipeline
