#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "hexquant/progress.h"
#include "hexquant/recipe.h"

namespace hexquant::pipeline {

struct GoldenResult {
  std::filesystem::path folder;
  std::int64_t samples = 0;
};

/// What a device needs to prove that it computes the same: in OUT/golden the first calibration
/// samples as raw float32 inputs (inputs/i/TENSOR.raw), input_list.txt, the outputs of
/// the quantized model on the CPU (reference/Result_i/TENSOR.raw), and run_on_device.sh for
/// qnn-net-run, which needs neither adb nor this program. `hexquant evaluate --outputs` scores what
/// comes back.
///
/// @param output  OUT, with the quantized model
/// @param count   samples at most
/// @throws Error(kInvalidArgument) for a count below 1; Error(kIo), Error(kInvalidData)
[[nodiscard]] GoldenResult write_golden(const std::filesystem::path& output, const Recipe& recipe,
                                        std::int64_t count, ProgressSink& progress);

}  // namespace hexquant::pipeline
