#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// What the pattern of parse_profiling.py finds in a line.
struct NodeLine {
  std::string_view name;
  double time_us = 0.0;
};

/// Searches `line` for the regular expression
///
///     Node\s+(\S+)\s+.*execute.*?(\d+\.?\d*)\s*us
///
/// and gives its two groups, as Python's re.search would (white space and digits are ASCII).
[[nodiscard]] std::optional<NodeLine> match_node_line(std::string_view line);

/// Reads the lines "Node <name> <device> execute ...: <time> us" of a text; other text is passed
/// over. A row is the mean of all lines with its name.
///
/// The device is the word CPU or HTP (or GPU) of a line with "execute", outside the node's name. A
/// line with "execute" and CPU but no node is kept as a row without measurements, so that the
/// fallback section can show it. A line that starts like one of a node and has no time is
/// malformed.
[[nodiscard]] ProfileTable read_node_lines(std::string_view text, const std::string& origin);

}  // namespace hexquant::profiling
