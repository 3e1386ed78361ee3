#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

// Lines of qnn-profile-viewer, one at a time. All views point into the line.
namespace hexquant::profiling {

/// "<label>: <number> <unit>[ : <backend>]"
struct ValueLine {
  std::string_view label;  ///< without "Backend (" ... ")" around it
  double value = 0.0;
  std::string_view unit;     ///< "us", "cycles", "count", "inf/sec", ...
  std::string_view backend;  ///< "DSP", "CPU", ... as snpe-diagview appends it, or empty
  std::size_t indent = 0;
};

/// nullopt when the line is none.
[[nodiscard]] std::optional<ValueLine> parse_value_line(std::string_view line);

/// Name of an operation: the label without a leading "3: ", " (cycles)" and OpId.
[[nodiscard]] std::string_view operation_name(std::string_view label);

/// Spaces and tabs cut off at both ends.
[[nodiscard]] std::string_view trim_blanks(std::string_view text);

}  // namespace hexquant::profiling
