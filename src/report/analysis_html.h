#pragma once

#include <string>

#include "core/json.h"

namespace hexquant::report {

/// Self-contained page of `hexquant analyze`: verdict and bounds, advice by microseconds saved,
/// log-log roofline, time-line with VTCM, layers, what-if.
/// @param result  as in docs/schema/analyze.schema.json
[[nodiscard]] std::string analysis_html(const Json& result);

}  // namespace hexquant::report
