#pragma once

#include <string>

#include "core/json.h"

namespace hexquant::report {

/// Self-contained page for a vendor's performance estimate: totals, where the time goes, a timeline
/// of the hardware lanes and of VTCM with zoom, a table of the layers, findings.
///
/// @param result  header (schema, command, versions), `model`, the members of
/// docs/schema/estimate.schema.json, and `timeline`: what pipeline::timeline_json gave, or null
[[nodiscard]] std::string estimate_html(const Json& result);

}  // namespace hexquant::report
