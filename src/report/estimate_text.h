#pragma once

#include <cstddef>
#include <string>

#include "core/json.h"

namespace hexquant::report {

/// The vendor's performance estimate as text: totals with their band, where the time goes, the
/// `top` layers with the most time with bars. Findings are not part of it.
///
/// @param estimate  what pipeline::to_json(HtpEstimate) gave
/// @return lines that end with a newline; one line when the chip has no estimate
[[nodiscard]] std::string estimate_text(const Json& estimate, std::size_t top = 20);

}  // namespace hexquant::report
