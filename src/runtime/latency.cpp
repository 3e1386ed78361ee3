#include "runtime/latency.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/median.h"

namespace hexquant::runtime {
namespace {

constexpr std::size_t kBins = 24;
constexpr std::size_t kFewestForDrift = 20;

/// @param sorted  not empty
double quantile(const std::vector<double>& sorted, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

/// @param sorted  not empty
double fast_run(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.1);
}

LatencyHistogram histogram_of(const std::vector<double>& sorted) {
  LatencyHistogram histogram;
  histogram.lower_us = sorted.front();
  const double upper = quantile(sorted, 0.99);
  const std::size_t bins = upper > sorted.front() ? kBins : 1;
  histogram.counts.assign(bins, 0);
  histogram.width_us = bins == 1 ? 1.0 : (upper - sorted.front()) / static_cast<double>(bins);
  for (const double value : sorted) {
    const double at = (value - histogram.lower_us) / histogram.width_us;
    ++histogram.counts[std::min(static_cast<std::size_t>(at), bins - 1)];
  }
  return histogram;
}

}  // namespace

Latency summarize_latency(const std::vector<double>& microseconds) {
  Latency latency;
  latency.count = static_cast<std::int64_t>(microseconds.size());
  if (microseconds.empty()) return latency;
  std::vector<double> sorted = microseconds;
  std::sort(sorted.begin(), sorted.end());
  latency.mean_us =
      std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size());
  latency.median_us = median(sorted);
  latency.p90_us = quantile(sorted, 0.9);
  latency.p99_us = quantile(sorted, 0.99);
  latency.min_us = sorted.front();
  latency.max_us = sorted.back();
  if (latency.mean_us > 0.0) latency.per_second = 1e6 / latency.mean_us;
  if (microseconds.size() >= kFewestForDrift) {
    const auto tenth = static_cast<std::ptrdiff_t>(microseconds.size() / 10);
    latency.first_tenth_us = fast_run({microseconds.begin(), microseconds.begin() + tenth});
    latency.last_tenth_us = fast_run({microseconds.end() - tenth, microseconds.end()});
    if (latency.first_tenth_us > 0.0) {
      latency.drift = latency.last_tenth_us / latency.first_tenth_us - 1.0;
    }
  }
  latency.histogram = histogram_of(sorted);
  return latency;
}

}  // namespace hexquant::runtime
