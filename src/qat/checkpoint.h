#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "qat/train.h"

namespace hexquant::qat {

/// Everything that training must know to go on: the order of the samples and their augmentation
/// follow from the step (data::ShuffledBatches).
struct TrainState {
  std::int64_t step = 0;        ///< steps that are done, over all epochs
  double loss_sum = 0.0;        ///< of the steps of the epoch that runs
  double seconds = 0.0;         ///< spent so far
  double train_seconds = 0.0;   ///< of the steps of the epoch that runs
  std::vector<EpochRow> curve;  ///< epochs that were validated
  std::int64_t best_epoch = 0;
  std::string stopped;                                   ///< why it ended early; empty = it goes on
  std::map<std::string, torch::Tensor> values;           ///< parameters, see values_of()
  std::map<std::string, torch::Tensor> best_values;      ///< those of the best epoch
  std::map<std::string, torch::Tensor> optimizer_state;  ///< see Optimizer::state()
};

/// Writes the state to a temporary file beside `path` and renames it: whenever the process is
/// killed, the file holds the last state or the one before. @throws Error(kIo)
void write_checkpoint(const std::filesystem::path& path, const TrainState& state,
                      const std::string& digest);

/// @throws Error(kInvalidData) when the file is damaged, of another version, or its digest is not
///         `digest` (another model, other data or options); Error(kIo)
[[nodiscard]] TrainState read_checkpoint(const std::filesystem::path& path,
                                         const std::string& digest);

}  // namespace hexquant::qat
