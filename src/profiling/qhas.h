#pragma once

#include <string>
#include <string_view>

#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// Reads the JSON summary *_qnn_htp_analysis_summary.json (QHAS).
///
/// Rows are `data.qnn_op_instances_nodes`: `value` its cycles, `critical` its share of the dominant
/// path, DRAM bytes. Totals are the numbers of `data.htp_overall_summary`: time, cycles, bytes, use
/// of VTCM. `data.htp_overall_summary...htp_resources` gives the busy cycles of each hardware unit,
/// which overlap. Sections that are missing leave their part empty.
[[nodiscard]] ProfileTable read_qhas(std::string_view json, const std::string& origin);

}  // namespace hexquant::profiling
