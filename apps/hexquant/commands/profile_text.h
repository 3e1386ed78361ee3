#pragma once

#include <cstddef>
#include <string>

#include "pipeline/profile_run.h"

// What `hexquant profile` prints.
namespace hexquant::cli {

struct ProfileTextOptions {
  std::size_t top = 20;
  profiling::ProfileGrouping grouping = profiling::ProfileGrouping::kNode;
};

/// The table of parse_profiling.py: columns of 50, 12 and 8 characters, one star for each 2 %, the
/// total and, where the sum is one, the mean latency.
[[nodiscard]] std::string top_table(const profiling::ProfileTable& table,
                                    const ProfileTextOptions& options);

/// The output of check_fallback_ops, with reasons and fixes where they are known.
[[nodiscard]] std::string fallback_text(const pipeline::Fallback& fallback);

/// Everything: each profile's table, totals, operation types, waits; fallback; comparison.
[[nodiscard]] std::string profile_text(const pipeline::ProfileResult& result,
                                       const ProfileTextOptions& options);

}  // namespace hexquant::cli
