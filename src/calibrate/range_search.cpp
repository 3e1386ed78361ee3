#include "calibrate/range_search.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "hexquant/encoding.h"

namespace hexquant::calibrate {
namespace {

/// A search for the least cost that remembers the best candidate.
class Search {
 public:
  Search(Ends full, bool symmetric, const std::function<double(Ends)>& cost)
      : full_(full), symmetric_(symmetric), cost_(cost), best_(full), best_cost_(cost(full)) {}

  [[nodiscard]] bool two_sided() const noexcept {
    return !symmetric_ && full_.low < 0.0 && full_.high > 0.0;
  }
  [[nodiscard]] const Ends& best() const noexcept { return best_; }

  /// Ends of the full range times these factors; a symmetric range takes the first for both.
  bool try_factors(double low, double high) {
    return try_ends({full_.low * low, full_.high * (symmetric_ ? low : high)});
  }

  /// The best ends moved by these factors, within the full range.
  bool try_step(double low, double high) {
    return try_ends(
        {std::max(full_.low, best_.low * low), std::min(full_.high, best_.high * high)});
  }

 private:
  bool try_ends(Ends ends) {
    const double cost = cost_(ends);
    if (!(cost < best_cost_)) return false;
    best_ = ends;
    best_cost_ = cost;
    return true;
  }

  Ends full_;
  bool symmetric_;
  const std::function<double(Ends)>& cost_;
  Ends best_;
  double best_cost_;
};

void search_coarsely(Search& search) {
  if (!search.two_sided()) {
    for (int k = 1; k < 64; ++k) search.try_factors(std::exp2(-k / 12.0), std::exp2(-k / 12.0));
    return;
  }
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) {
      if (i + j > 0) search.try_factors(std::exp2(-i / 3.0), std::exp2(-j / 3.0));
    }
  }
}

/// One round of moves with step factor `step`; true if one of them helped.
bool try_moves(Search& search, double step) {
  if (!search.two_sided())
    return search.try_step(step, step) || search.try_step(1 / step, 1 / step);
  const std::array<std::array<double, 2>, 8> moves = {{{step, 1},
                                                       {1, step},
                                                       {1 / step, 1},
                                                       {1, 1 / step},
                                                       {step, step},
                                                       {1 / step, 1 / step},
                                                       {step, 1 / step},
                                                       {1 / step, step}}};
  bool helped = false;
  for (const auto& [low, high] : moves) helped = search.try_step(low, high) || helped;
  return helped;
}

}  // namespace

Grid grid_for(Ends ends, int bits, bool symmetric) noexcept {
  Grid grid;
  if (symmetric) {
    grid.high_code = (std::int64_t{1} << (bits - 1)) - 1;
    grid.low_code = -grid.high_code - 1;
    grid.scale = std::max(-ends.low, ends.high) / static_cast<double>(grid.high_code);
  } else {
    const std::int64_t steps = (std::int64_t{1} << bits) - 1;
    const double width = std::max(ends.high - ends.low, static_cast<double>(kMinRange));
    grid.scale = width / static_cast<double>(steps);
    grid.low_code = static_cast<std::int64_t>(std::nearbyint(ends.low / grid.scale));
    grid.high_code = grid.low_code + steps;
  }
  return grid;
}

Ends shrink_range(Ends full, bool symmetric, double resolution,
                  const std::function<double(Ends)>& cost) {
  Search search(full, symmetric, cost);
  search_coarsely(search);
  double exponent = 1.0 / 6.0;
  const auto step_length = [&] {
    return std::max(-search.best().low, search.best().high) * (std::exp2(exponent) - 1.0);
  };
  do {
    while (try_moves(search, std::exp2(-exponent))) {
    }
    exponent /= 2.0;
  } while (step_length() >= resolution);
  return search.best();
}

}  // namespace hexquant::calibrate
