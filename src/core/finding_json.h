#pragma once

#include "core/json.h"
#include "hexquant/finding.h"

namespace hexquant {

/// Findings as every machine result holds them: objects with id, severity, where, reason, fix.
[[nodiscard]] Json findings_json(const Findings& findings);

}  // namespace hexquant
