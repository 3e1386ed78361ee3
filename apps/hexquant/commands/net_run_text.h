#pragma once

#include <string>

#include "pipeline/net_run.h"

namespace hexquant::cli {

/// "5.21 ms", "812 us", "3.20 s"
[[nodiscard]] std::string duration_text(double microseconds);

/// "2 min 5 s"
[[nodiscard]] std::string long_duration_text(double seconds);

/// What `hexquant net-run` prints.
[[nodiscard]] std::string net_run_text(const pipeline::NetRunResult& result,
                                       const pipeline::NetRunRequest& request);

}  // namespace hexquant::cli
