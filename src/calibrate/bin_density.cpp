#include "calibrate/bin_density.h"

#include <algorithm>
#include <cmath>

#include "hexquant/error.h"

namespace hexquant::calibrate {
namespace {

double times_log(double x) {
  return x > 0.0 ? x * std::log(x) : 0.0;
}

}  // namespace

BinDensity::BinDensity(const quant::ValueStatistics& statistics) {
  const quant::Histogram& histogram = statistics.histogram;
  HEXQUANT_CHECK(!histogram.counts.empty(), "this observer needs a histogram");
  width_ = histogram.bin_width();
  inverse_width_ = 1.0 / width_;
  lower_ = histogram.lower_edge();
  counts_.assign(histogram.counts.begin(), histogram.counts.end());
  if (statistics.zero_count > 0) {
    counts_[static_cast<std::size_t>(-histogram.first_bin)] -=
        static_cast<double>(statistics.zero_count);
  }
  moments_.resize(counts_.size() + 1);
  prefix_.resize(counts_.size() + 1);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const double edge = lower_ + static_cast<double>(i) * width_;
    begin_.push_back(std::max(edge, static_cast<double>(statistics.min)));
    end_.push_back(std::min(edge + width_, static_cast<double>(statistics.max)));
    const double a = begin_[i];
    const double b = std::max(a, end_[i]);
    const double c = counts_[i];
    moments_[i + 1] = {moments_[i].zeroth + c, moments_[i].first + c * (a + b) / 2.0,
                       moments_[i].second + c * (a * a + a * b + b * b) / 3.0};
    prefix_[i + 1] = {prefix_[i].count + c, prefix_[i].entropy + times_log(c),
                      prefix_[i].occupied + (c > 0.0 ? 1.0 : 0.0)};
  }
}

std::size_t BinDensity::bin_at(double x) const noexcept {
  const double bin = (x - lower_) * inverse_width_;
  if (!(bin > 0.0)) return 0;
  return std::min(static_cast<std::size_t>(std::min(bin, 1e9)), counts_.size() - 1);
}

BinDensity::Moments BinDensity::below(double x) const noexcept {
  const std::size_t i = bin_at(x);
  if (x >= end_[i]) return moments_[i + 1];
  if (x <= begin_[i]) return moments_[i];
  const double a = begin_[i];
  const double c = counts_[i] * (x - a) / (end_[i] - a);
  return {moments_[i].zeroth + c, moments_[i].first + c * (a + x) / 2.0,
          moments_[i].second + c * (a * a + a * x + x * x) / 3.0};
}

double BinDensity::error_around(double level, const Moments& from, const Moments& to) noexcept {
  const double zeroth = to.zeroth - from.zeroth;
  const double first = to.first - from.first;
  const double second = to.second - from.second;
  // Cancellation may leave a tiny negative number.
  return std::max(0.0, second - 2.0 * level * first + level * level * zeroth);
}

double BinDensity::squared_error(const Grid& grid, double clip_weight) const {
  const double lowest = static_cast<double>(grid.low_code) * grid.scale;
  const double highest = static_cast<double>(grid.high_code) * grid.scale;
  const Moments inner_begin = below(lowest - grid.scale / 2.0);
  const Moments inner_end = below(highest + grid.scale / 2.0);
  const double clipped =
      error_around(lowest, {}, inner_begin) + error_around(highest, inner_end, moments_.back());
  if (grid.scale <= width_) {
    const double inside = inner_end.zeroth - inner_begin.zeroth;
    return clip_weight * clipped + inside * grid.scale * grid.scale / 12.0;
  }
  // Codes that no element can reach are skipped.
  const auto code_at = [&](double x) {
    return std::clamp(static_cast<std::int64_t>(std::nearbyint(x / grid.scale)), grid.low_code,
                      grid.high_code);
  };
  const std::int64_t first = code_at(begin_.front());
  const std::int64_t last = code_at(end_.back());
  double rounding = 0.0;
  Moments from = inner_begin;
  for (std::int64_t code = first; code <= last; ++code) {
    const double level = static_cast<double>(code) * grid.scale;
    const Moments to = code == last ? inner_end : below(level + grid.scale / 2.0);
    rounding += error_around(level, from, to);
    from = to;
  }
  return clip_weight * clipped + rounding;
}

double BinDensity::divergence(const Grid& grid) const {
  constexpr double kEmpty = 1e-4;  // mass of a code that got outliers only
  // First bin whose centre is at or above the lower end of a code's interval.
  const auto edge = [&](std::int64_t code) {
    const double x = (static_cast<double>(code) - 0.5) * grid.scale;
    const double bin = (x - lower_) * inverse_width_ - 0.5;
    if (!(bin > 0.0)) return std::size_t{0};
    const auto floored = static_cast<std::size_t>(std::min(bin, 1e9));
    const std::size_t up = static_cast<double>(floored) < bin ? 1 : 0;
    return std::min(floored + up, counts_.size());
  };
  const std::size_t begin = edge(grid.low_code);
  const std::size_t end = edge(grid.high_code + 1);
  const double total = prefix_.back().count;
  if (begin >= end || total == 0.0) return total == 0.0 ? 0.0 : INFINITY;
  const double below = prefix_[begin].count;
  const double above = total - prefix_[end].count;
  const double inside = total - below - above;
  if (inside <= 0.0) return INFINITY;
  // sum of c' log c', outliers folded into the edge bins
  double sum = prefix_[end].entropy - prefix_[begin].entropy;
  const auto fold = [&](std::size_t bin, double outliers) {
    sum += times_log(counts_[bin] + outliers) - times_log(counts_[bin]);
  };
  if (begin + 1 == end) {
    fold(begin, below + above);
  } else {
    fold(begin, below);
    fold(end - 1, above);
  }
  std::size_t next = begin;
  for (std::int64_t code = grid.low_code; code <= grid.high_code; ++code) {
    const std::size_t from = next;
    const std::size_t to = std::min(end, edge(code + 1));
    if (from >= to) continue;
    next = to;
    const double mass = prefix_[to].count - prefix_[from].count;
    double occupied = prefix_[to].occupied - prefix_[from].occupied;
    double folded = 0.0;
    if (from == begin) folded += below;
    if (to == end) folded += above;
    if (folded == 0.0 && mass == 0.0) continue;
    if (from == begin && below > 0.0 && counts_[begin] == 0.0) ++occupied;
    if (to == end && above > 0.0 && counts_[end - 1] == 0.0) ++occupied;
    sum -= (mass + folded) * std::log(std::max(mass, kEmpty) / occupied);
  }
  return sum - total * std::log(total) + total * std::log(inside);
}

}  // namespace hexquant::calibrate
