#pragma once

#include <string_view>

// Files of src/pipeline/assets, compiled in by src/CMakeLists.txt.
namespace hexquant::pipeline {

/// POSIX shell, since Android's is that: runs OUT/golden with qnn-net-run.
extern const std::string_view kRunOnDeviceSh;

}  // namespace hexquant::pipeline
