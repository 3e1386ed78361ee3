#pragma once

#include "data/dataset.h"
#include "evaluate/task.h"
#include "hexquant/recipe.h"
#include "qat/train.h"

namespace hexquant::pipeline {

/// A recipe that trains, with what it leaves open: scored on its evaluation data, and calibrated
/// with the first batches of the training data where it names no other. Others stay as they are.
/// @throws Error(kInvalidArgument) when it names no data to train or to validate with
[[nodiscard]] Recipe with_training_data(const Recipe& recipe);

/// The training samples of a recipe, preprocessed as its calibration data are.
[[nodiscard]] data::DataOptions training_data_options(const Recipe& recipe);

/// The training of a recipe in the terms of the trainer: names and ranges checked.
/// @param labelled  labels of the training data are known
/// @param metric    of the validation: decides how outputs are compared in distillation
/// @throws Error(kInvalidArgument) naming the option, the bad value and the allowed ones
[[nodiscard]] qat::TrainOptions resolve_training(const Recipe& recipe, bool labelled,
                                                 const evaluate::Metric& metric);

}  // namespace hexquant::pipeline
