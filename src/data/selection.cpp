#include "data/selection.h"

#include <algorithm>
#include <limits>
#include <random>
#include <set>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

/// Uniform number in [0, bound); std::uniform_int_distribution differs between libraries.
std::uint64_t uniform_below(std::mt19937_64& generator, std::uint64_t bound) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t limit = kMax - kMax % bound;
  std::uint64_t value = generator();
  while (value >= limit) value = generator();
  return value % bound;
}

/// Source: Bentley, Floyd, "A sample of brilliance", CACM 30(9), 1987.
std::set<std::int64_t> random_subset(std::int64_t count, std::int64_t wanted, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::set<std::int64_t> chosen;
  for (std::int64_t last = count - wanted; last < count; ++last) {
    const auto candidate =
        static_cast<std::int64_t>(uniform_below(generator, static_cast<std::uint64_t>(last) + 1));
    if (!chosen.insert(candidate).second) chosen.insert(last);
  }
  return chosen;
}

/// floor(i n / k) without overflow.
std::int64_t even_position(std::int64_t i, std::int64_t n, std::int64_t k) {
  return i * (n / k) + i * (n % k) / k;
}

}  // namespace

std::vector<std::int64_t> select_samples(std::int64_t count, const DataOptions& options) {
  if (options.samples < 0 || options.skip < 0) {
    throw Error(ErrorCode::kInvalidArgument, format("samples {} and skip {}: expected 0 or more",
                                                    options.samples, options.skip));
  }
  if (options.skip >= count) {
    throw Error(
        ErrorCode::kInvalidData,
        format("no samples left: the data has {}, and {} are skipped", count, options.skip));
  }
  const std::int64_t available = count - options.skip;
  const std::int64_t wanted =
      options.samples == 0 ? available : std::min(options.samples, available);
  std::vector<std::int64_t> indices;
  if (options.sampling == Sampling::kRandom) {
    for (const std::int64_t index : random_subset(available, wanted, options.seed)) {
      indices.push_back(options.skip + index);
    }
    return indices;
  }
  for (std::int64_t i = 0; i < wanted; ++i) {
    const bool even = options.sampling == Sampling::kEven;
    indices.push_back(options.skip + (even ? even_position(i, available, wanted) : i));
  }
  return indices;
}

}  // namespace hexquant::data
