#pragma once

#include <string>

#include "hexquant/recipe.h"

namespace hexquant::pipeline {

/// Names in OUT of the Q/DQ model and of the float model with final weights.
[[nodiscard]] inline std::string quantized_file(const Recipe& recipe) {
  return recipe.prefix + ".onnx";
}
[[nodiscard]] inline std::string float_file(const Recipe& recipe) {
  return recipe.prefix + "_float.onnx";
}

}  // namespace hexquant::pipeline
