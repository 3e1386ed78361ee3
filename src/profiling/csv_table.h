#pragma once

#include <string>
#include <string_view>

#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// Reads the CSV of ONNX Runtime's QNN provider (profiling_file_path) or of qnn-profile-viewer.
///
/// Rows are the NODE rows (EXECUTE sub-events in the other writer's words), each the mean over the
/// executions; a row's ONNX nodes are those of the column "ONNX Source Ops". Totals are the root
/// rows. A model in several parts has several graphs, which the file does not name: the rows of one
/// execution belong together, and its graph is known by its operations ("#1", "#2", ... in the
/// order of their first execution; compilations in their own order).
///
/// Cycles are no time. When all time stamps are 0 the profile comes from the x86 backend, whose
/// cycles are ticks of the host's clock and no performance data at all: a finding says so.
///
/// @throws Error(kInvalidData) when the header is missing
[[nodiscard]] ProfileTable read_csv_table(std::string_view text, const std::string& origin);

}  // namespace hexquant::profiling
