#pragma once

#include <string>
#include <string_view>

#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// Reads chrometrace.json, which qnn-profile-viewer makes from an optrace of the device.
///
/// Rows are QNN operations: the intervals (ph X) whose arguments hold "QNN Op Name", each counted
/// once although some tracks repeat it. `value` is the cycles that its hardware operations kept
/// their units busy, `critical` its "Dominant Path Cycles": the part of the run in which nothing
/// more important worked. Where the trace has these they are the amounts, and add up to the run;
/// busy cycles overlap and must not be added up.
[[nodiscard]] ProfileTable read_chrome_trace(std::string_view json, const std::string& origin);

}  // namespace hexquant::profiling
