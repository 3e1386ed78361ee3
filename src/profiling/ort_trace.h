#pragma once

#include <string>
#include <string_view>

#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// Reads the JSON that ONNX Runtime writes with SessionOptions.enable_profiling.
///
/// Rows are the "<node>_kernel_time" events: microseconds, operation type, execution provider
/// ("CPU" for CPUExecutionProvider; a plug-in's provider has the name it was registered under).
/// The amount of a row is its time in one `model_run`, so that a node inside a loop counts as often
/// as it runs. A part that a provider compiled is one
/// node, of type "(compiled part)". A file that breaks off (a process
/// that was ended) gives what stands before, and one malformed element.
[[nodiscard]] ProfileTable read_ort_trace(std::string_view json, const std::string& origin);

}  // namespace hexquant::profiling
