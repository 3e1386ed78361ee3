#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"

namespace hexquant::profiling {

/// What `hexquant net-run --json` recorded of repeated inferences, on this machine or another.
struct RecordedRuns {
  std::string model;           ///< file that ran, as it was named there
  std::string device;          ///< "cpu", "htp"
  std::string soc;             ///< chip that the simulator stood for; empty on the CPU
  std::int64_t count = 0;      ///< inferences, each compared with the first on the same inputs
  std::int64_t differing = 0;  ///< of which outputs had other bytes
  std::int64_t memory_growth_bytes = 0;  ///< of the process, over the last nine tenths
  std::int64_t peak_memory_bytes = 0;    ///< of the process
  /// Tenth percentile of the first tenth of the runs; 0 below 20 runs, and then no drift is known.
  double first_tenth_us = 0.0;
  double drift = 0.0;  ///< last tenth / first tenth - 1
};

/// Reads a document as in docs/schema/net-run.schema.json. Members that are not in RecordedRuns
/// are not looked at.
/// @param origin  name of the file, for messages
/// @throws Error(kInvalidData) naming the member that is missing or has no meaning
[[nodiscard]] RecordedRuns recorded_runs(const Json& json, const std::string& origin);

}  // namespace hexquant::profiling
