#include "calibrate/observer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "calibrate/bin_density.h"
#include "calibrate/range_search.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::calibrate {
namespace {

using quant::Histogram;
using quant::ValueStatistics;

constexpr std::array<std::pair<ObserverKind, const char*>, 5> kNames = {{
    {ObserverKind::kMinMax, "min-max"},
    {ObserverKind::kPercentile, "percentile"},
    {ObserverKind::kMse, "mse"},
    {ObserverKind::kEntropy, "entropy"},
    {ObserverKind::kSqnr, "sqnr"},
}};

/// Weight of clipping in the cost of kSqnr, as in AIMET's tf_enhanced.
constexpr double kClipWeight = 3.0;

Ends full_ends(const ValueStatistics& statistics, bool symmetric) {
  Ends ends{std::min(0.0, static_cast<double>(statistics.min)),
            std::max(0.0, static_cast<double>(statistics.max))};
  if (symmetric && ends.low < 0.0) {
    ends.high = std::max(-ends.low, ends.high);
    ends.low = -ends.high;
  }
  return ends;
}

/// Index of the first bin at which the running count reaches `wanted`.
std::size_t reach(const std::vector<std::uint64_t>& counts, double wanted) {
  double seen = 0.0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    seen += static_cast<double>(counts[i]);
    if (seen >= wanted && counts[i] > 0) return i;
  }
  return counts.size() - 1;
}

/// Counts by floor(|x| / bin width); a negative bin (-1, 0] mirrors bin 0.
std::vector<std::uint64_t> magnitude_counts(const Histogram& histogram) {
  std::vector<std::uint64_t> counts;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const std::int64_t bin = histogram.first_bin + static_cast<std::int64_t>(i);
    const auto magnitude = static_cast<std::size_t>(bin < 0 ? -bin - 1 : bin);
    if (magnitude >= counts.size()) counts.resize(magnitude + 1);
    counts[magnitude] += histogram.counts[i];
  }
  return counts;
}

Ends percentile_ends(const ValueStatistics& statistics, double percentile, Ends full,
                     bool symmetric) {
  const Histogram& histogram = statistics.histogram;
  HEXQUANT_CHECK(!histogram.counts.empty(), "the percentile observer needs a histogram");
  const auto count = static_cast<double>(statistics.count);
  const double width = histogram.bin_width();
  if (symmetric) {
    const std::size_t bin = reach(magnitude_counts(histogram), count * percentile / 100.0);
    const double end = static_cast<double>(bin + 1) * width;
    return {std::max(full.low, -end), std::min(full.high, end)};
  }
  const double cut = count * (100.0 - percentile) / 200.0;
  // The smallest element that stays is number floor(cut) + 1.
  const std::size_t low = reach(histogram.counts, std::floor(cut) + 1.0);
  const std::size_t high = reach(histogram.counts, count - std::floor(cut));
  const double lower = histogram.lower_edge();
  return {std::clamp(lower + static_cast<double>(low) * width, full.low, 0.0),
          std::clamp(lower + static_cast<double>(high + 1) * width, 0.0, full.high)};
}

Ends searched_ends(const ValueStatistics& statistics, ObserverKind kind, int bits, Ends full,
                   bool symmetric) {
  const BinDensity density(statistics);
  if (full.low == full.high) return full;
  const auto cost = [&](Ends ends) {
    const Grid grid = grid_for(ends, bits, symmetric);
    if (kind == ObserverKind::kEntropy) return density.divergence(grid);
    return density.squared_error(grid, kind == ObserverKind::kSqnr ? kClipWeight : 1.0);
  };
  // Codes finer than bins lose nothing that a histogram can show.
  const bool finer = grid_for(full, bits, symmetric).scale <= density.bin_width();
  if (kind == ObserverKind::kEntropy && finer) return full;
  return shrink_range(full, symmetric, density.bin_width() / 2.0, cost);
}

void check_options(const ObserverOptions& options, int bits) {
  if (!(options.percentile > 50.0 && options.percentile <= 100.0)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("percentile {}: expected more than 50 and at most 100", options.percentile));
  }
  if (bits < 2 || bits > 16) {
    throw Error(ErrorCode::kInvalidArgument,
                format("no observer for {} bits: expected 2 to 16", bits));
  }
}

}  // namespace

ObserverKind parse_observer(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [kind, kind_name] : kNames) {
    if (name == kind_name) return kind;
    known.emplace_back(kind_name);
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("unknown observer '{}': expected one of {}", name, join(known, ", ")));
}

const char* observer_name(ObserverKind kind) noexcept {
  for (const auto& [known, name] : kNames) {
    if (known == kind) return name;
  }
  return "";
}

Range choose_range(const ValueStatistics& statistics, const ObserverOptions& options, int bits,
                   bool symmetric) {
  check_options(options, bits);
  const Ends full = full_ends(statistics, symmetric);
  Ends ends = full;
  if (options.kind == ObserverKind::kPercentile) {
    ends = percentile_ends(statistics, options.percentile, full, symmetric);
  } else if (options.kind != ObserverKind::kMinMax) {
    ends = searched_ends(statistics, options.kind, bits, full, symmetric);
  }
  return {static_cast<float>(ends.low), static_cast<float>(ends.high)};
}

double range_excess_db(const ValueStatistics& statistics, Range range, int bits, bool symmetric) {
  const BinDensity density(statistics);
  const auto error = [&](Range ends) {
    const Ends around = {std::min(static_cast<double>(ends.min), 0.0),
                         std::max(static_cast<double>(ends.max), 0.0)};
    return density.squared_error(grid_for(around, bits, symmetric), 1.0);
  };
  const double best =
      error(choose_range(statistics, {.kind = ObserverKind::kMse}, bits, symmetric));
  const double chosen = error(range);
  if (best <= 0.0 || chosen <= best) return 0.0;
  return 10.0 * std::log10(chosen / best);
}

}  // namespace hexquant::calibrate
