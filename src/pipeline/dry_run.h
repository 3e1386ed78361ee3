#pragma once

#include <string>

#include "hexquant/recipe.h"

namespace hexquant::pipeline {

/// What quantize() would do, as text: inputs, passes, layers with their widths, sizes before and
/// after, findings. Reads the model and one sample; calibrates and writes nothing.
/// @throws Error for everything quantize() would reject before its first inference
[[nodiscard]] std::string dry_run_text(const Recipe& recipe);

}  // namespace hexquant::pipeline
