#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// Name of an operation of which only the OpId is known: "OpId 17".
[[nodiscard]] std::string name_of_op_id(std::uint32_t op_id);

/// Reads the traces inside a binary *_qnn.log. Of the container nothing else is documented, so that
/// a log without a trace (any level but optrace, or a chip the simulator has no estimate for) gives
/// no rows and a finding that says how to convert it.
///
/// The traces are of the vendor's simulation. A row is an operation of the QNN graph, named after
/// its OpId until name_rows() finds better; its amount is the share of the run that layer_times()
/// attributes to it, so that rows and idle time add up to the cycles of the run.
[[nodiscard]] ProfileTable read_qnn_log(std::string_view bytes, const std::string& origin);

}  // namespace hexquant::profiling
