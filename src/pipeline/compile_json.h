#pragma once

#include <string>

#include "core/json.h"
#include "pipeline/compile_model.h"

namespace hexquant::pipeline {

/// An element of `models` in docs/schema/compile.schema.json.
[[nodiscard]] Json to_json(const std::string& model, const CompileResult& result);
[[nodiscard]] Json to_json(const std::string& model, const PlacementPrediction& prediction);

}  // namespace hexquant::pipeline
