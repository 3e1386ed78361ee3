#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "hexquant/recipe.h"

namespace hexquant::cli {

/// Command-line form of a recipe's training.
class TrainingOptions {
 public:
  /// Adds --train-data and what else describes training, in groups of their own.
  void add_to(CLI::App& command);

  /// Puts the options that were given into `training`.
  /// @throws Error(kInvalidArgument) naming the option
  void overlay(TrainingRecipe& training) const;

 private:
  void add_data_options(CLI::App& command);
  void add_loss_options(CLI::App& command);
  void add_step_options(CLI::App& command);

  CLI::App* command_ = nullptr;
  TrainingRecipe values_;
  std::vector<std::string> augmentation_;
};

}  // namespace hexquant::cli
