#pragma once

#include <string>

#include "core/json.h"

namespace hexquant::report {

/// The page of `hexquant optimize --report`: before and after, rewrites with their places and
/// gains, the check, and what an application has to change. The page asks the network for nothing.
///
/// @param result  as in docs/schema/optimize.schema.json, with its header
[[nodiscard]] std::string optimize_html(const Json& result);

}  // namespace hexquant::report
