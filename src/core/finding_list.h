#pragma once

#include "hexquant/finding.h"

namespace hexquant {

/// Adds `more` behind `findings`.
inline void append(Findings& findings, const Findings& more) {
  findings.insert(findings.end(), more.begin(), more.end());
}

}  // namespace hexquant
