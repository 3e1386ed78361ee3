#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"

namespace hexquant::passes {

/// What a pass did. Passes change the graph's form, never its float function.
struct PassReport {
  std::string pass;                     ///< name, e.g. "fold_batch_norm"
  std::vector<std::string> applied_to;  ///< nodes or values, in graph order
  Findings findings;                    ///< places where it could not act, and why
};

}  // namespace hexquant::passes
