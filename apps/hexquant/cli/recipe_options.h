#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/preprocess_options.h"
#include "hexquant/recipe.h"

namespace hexquant::cli {

/// Command-line form of a Recipe: plain strings until resolve(), which needs the recipe file read
/// first so that options given on the command line win over it.
class RecipeOptions {
 public:
  /// Widths that the command takes: those that an HTP has, or narrower ones too.
  enum class Widths { kDevice, kResearch };

  /// Adds the options shared by all commands that quantize, in help groups.
  void add_to(CLI::App& command, Widths widths = Widths::kDevice);

  /// The recipe file (if any) overlaid with the options that were given.
  /// @param recipe  what they are laid over where no --recipe is given
  /// @throws Error(kInvalidArgument) naming the option, Error(kInvalidData) for the recipe file
  [[nodiscard]] Recipe resolve(Recipe recipe = {}) const;

  /// True if the command line has this option. @param option  with its dashes
  [[nodiscard]] bool given(const char* option) const;

 private:
  void add_data_options(CLI::App& command);
  void add_width_options(CLI::App& command, Widths widths);
  void add_precision_options(CLI::App& command);
  void add_evaluation_options(CLI::App& command);
  void overlay(Recipe& recipe) const;
  void overlay_evaluation(EvaluationRecipe& evaluation) const;

  CLI::App* command_ = nullptr;
  Recipe values_;
  PreprocessOptions preprocess_;
  std::string recipe_path_;
  std::vector<std::string> input_shapes_;
  std::string weight_bits_ = "8";
  std::vector<std::string> algorithms_;
  std::vector<std::string> evaluate_;
};

/// "NAME=1,3,224,224" -> name and shape. @throws Error(kInvalidArgument)
[[nodiscard]] std::pair<std::string, Shape> parse_input_shape(const std::string& text);

/// Splits every item at commas and blanks; empty parts vanish.
[[nodiscard]] std::vector<std::string> split_list(const std::vector<std::string>& items);

}  // namespace hexquant::cli
