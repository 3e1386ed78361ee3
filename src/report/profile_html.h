#pragma once

#include <string>

#include "core/json.h"

namespace hexquant::report {

/// Self-contained page of profiles: each one's totals, rows with bars (sortable, filtered), shares
/// by operation type and hardware unit, waits; nodes on the CPU; the comparison; findings.
///
/// @param result  header (schema, command, versions) and the members of
/// docs/schema/profile.schema.json
[[nodiscard]] std::string profile_html(const Json& result);

}  // namespace hexquant::report
