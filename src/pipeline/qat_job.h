#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "hexquant/progress.h"
#include "hexquant/quantize.h"
#include "hexquant/recipe.h"
#include "pipeline/quantize_job.h"
#include "pipeline/quantize_pipeline.h"
#include "qat/train.h"
#include "report/report.h"

namespace hexquant::pipeline {

/// How a training run is watched and kept.
struct TrainingHooks {
  /// @param metric  that validation reads
  std::function<void(const qat::EpochRow&, const std::string& metric)> on_epoch;
  double checkpoint_seconds = 60.0;  ///< between two writings of the state within an epoch
  bool restart = false;              ///< begin anew instead of going on from OUT/checkpoint
  Findings findings;                 ///< what check_training() found, for the result
};

/// Trains a quantized model: `model` comes from run_stages() or load_stages() with
/// the same recipe, and leaves with
/// the weights, biases and encodings of the best epoch by the recipe's evaluation.
///
/// Training starts from the rounded weights where they were rounded with the help of data or come
/// from load_stages(), else from the float weights, which have the same codes. Every epoch scores
/// the QDQ model that would be written. The state is kept in the file `checkpoint` of
/// recipe.output.
/// @throws Error(kMissingComponent) without LibTorch; as resolve_training and qat::TrainFunction
void train_model(const Recipe& recipe, const QuantizeOptions& options, int threads,
                 QuantizedModel& model, const TrainingHooks& hooks, ProgressSink& progress);

/// Finds what keeps a recipe from being trained before any work is done: LibTorch is absent,
/// options out of range, a start that is not complete, data missing, samples both trained with and
/// scored (one pass over both).
/// @return a finding when a few of them are equal, as by chance
/// @throws Error
[[nodiscard]] Findings check_training(const Recipe& recipe);

/// How training went, for the report.
[[nodiscard]] report::TrainingSection training_section(const Recipe& recipe,
                                                       const QuantizedModel& model);

/// Forgets the state of a run whose results are written.
void remove_checkpoint(const Recipe& recipe);

struct QatResult {
  QuantizeResult result;
  report::TrainingSection training;
};

/// Quantizes, trains and writes recipe.output, with reports.
/// @param recipe  recipe.training.enabled is taken for true
/// @throws Error as quantize() and train_model(); when cancelled the state is kept, and the same
///         call goes on
[[nodiscard]] QatResult quantize_and_train(const Recipe& recipe, const TrainingHooks& hooks,
                                           int threads, ProgressSink& progress);

}  // namespace hexquant::pipeline
