#pragma once

#include <cstdint>
#include <vector>

namespace hexquant::runtime {

/// Inferences by how long they took.
struct LatencyHistogram {
  double lower_us = 0.0;  ///< start of the first bin
  double width_us = 0.0;  ///< of each
  std::vector<std::int64_t> counts;
};

/// What repeated inferences took.
struct Latency {
  std::int64_t count = 0;
  double mean_us = 0.0;
  double median_us = 0.0;
  double p90_us = 0.0;
  double p99_us = 0.0;
  double min_us = 0.0;
  double max_us = 0.0;
  double per_second = 0.0;  ///< 1e6 / mean_us: one after another
  /// Tenth percentiles of the first and of the last tenth of the runs, and how much slower the last
  /// is: the article's check after warming up. Other processes slow some runs; a clock that went
  /// down slows the fastest ones too. Absent (0) below 20 runs.
  double first_tenth_us = 0.0;
  double last_tenth_us = 0.0;
  double drift = 0.0;  ///< last / first - 1
  LatencyHistogram histogram;
};

/// Quantiles are nearest-rank: the smallest value that at least q of the values do not exceed. The
/// histogram has up to 24 bins from the fastest to the 99th percentile; slower runs are in the
/// last.
///
/// @param microseconds  in the order of the runs; empty gives zeros
[[nodiscard]] Latency summarize_latency(const std::vector<double>& microseconds);

}  // namespace hexquant::runtime
