#pragma once

#include <string>
#include <string_view>

#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// Reads the text that qnn-profile-viewer prints (basic, detailed, linting) or snpe-diagview.
///
/// Every line "<label>: <number> <unit>" is a measurement: of an operation when the label holds
/// "OpId_" or stands below "Accelerator (execute) time (cycles)", else a total of its section. The
/// sections "Execute Stats (Average)", "(Min)" and "(Max)" say the same three times: the average
/// counts, the other two give the row's bounds. Without an average the "Execute Stat N" sections
/// are measurements of their own. Linting adds lines below an operation: waits, overlaps with the
/// names of background operations, resources.
///
/// Values of operations are cycles, which are no time and must not be summed: see
/// docs/methods/profiling.md.
[[nodiscard]] ProfileTable read_viewer_text(std::string_view text, const std::string& origin);

/// True for a line that only this format has: used to tell formats apart.
[[nodiscard]] bool is_viewer_line(std::string_view line);

}  // namespace hexquant::profiling
