#pragma once

#include <string>

#include "pipeline/compile_model.h"

// What `hexquant compile` prints for one model.
namespace hexquant::cli {

[[nodiscard]] std::string prediction_text(const std::string& model,
                                          const pipeline::PlacementPrediction& prediction);
[[nodiscard]] std::string result_text(const std::string& model,
                                      const pipeline::CompileResult& result);

}  // namespace hexquant::cli
