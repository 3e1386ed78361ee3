#pragma once

#include <string>

#include "core/json.h"

namespace hexquant::report {

/// Self-contained page for a result of the granularity command.
/// @param result  a document of docs/schema/granularity.schema.json
[[nodiscard]] std::string granularity_html(const Json& result);

}  // namespace hexquant::report
