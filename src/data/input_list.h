#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hexquant::data {

/// One file of an inference.
struct InputFile {
  std::string input;  ///< model input; "" = by position
  std::filesystem::path path;
};

/// A QNN input list: one inference a line.
struct InputList {
  /// Files of every inference; all lines name the same inputs in the same order.
  std::vector<std::vector<InputFile>> inferences;
  std::vector<std::string> outputs;  ///< names from '#' and '%' lines (tensors to keep)
};

/// Parses the text of an input list.
///
/// A line is `path` or `name:=path`, several separated by blanks; a line that starts with '#' or
/// '%' names outputs. Paths stay as written.
/// @throws Error(kInvalidData) naming the line: empty name or path, a name twice, other inputs than
///         on the first line
[[nodiscard]] InputList parse_input_list(const std::string& text, const std::string& origin);

/// Reads a list and resolves relative paths: against the list's folder, and where no such file
/// exists, against the working directory. @throws Error(kIo), and as parse_input_list
[[nodiscard]] InputList read_input_list(const std::filesystem::path& path);

}  // namespace hexquant::data
