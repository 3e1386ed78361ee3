#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "data/preprocess.h"

namespace hexquant::cli {

/// Preprocessing on the command line: a JSON file, single flags, or flags on top of a file.
class PreprocessOptions {
 public:
  /// Adds --preprocess, --resize, --crop, --interpolation, --no-antialias, --color, --mean, --std
  /// and --layout in help group `group`.
  void add_to(CLI::App& command, const std::string& group);

  /// True if any of the options was given.
  [[nodiscard]] bool given() const noexcept { return !file_.empty() || !flags_.empty(); }

  /// What a recipe stores: the file's name, or JSON text when single flags were given.
  /// @throws Error(kInvalidArgument) naming the flag; Error(kInvalidData) for the file
  [[nodiscard]] std::string resolve() const;

 private:
  std::string file_;
  data::PreprocessFlags flags_;
};

}  // namespace hexquant::cli
