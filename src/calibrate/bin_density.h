#pragma once

#include <vector>

#include "calibrate/range_search.h"
#include "quant/statistics.h"

namespace hexquant::calibrate {

/// The nonzero elements of a value as a density: even inside each histogram bin, the outer bins cut
/// at the exact minimum and maximum.
class BinDensity {
 public:
  /// @pre statistics has a histogram
  explicit BinDensity(const quant::ValueStatistics& statistics);

  /// Expected squared error, summed over all elements, of rounding to the nearest code of `grid`;
  /// what lies more than half a step beyond the last codes counts `clip_weight` times.
  ///
  /// Sums moments over the interval of each code, or takes scale^2 / 12 where steps are shorter
  /// than bins: the time grows with the smaller of codes and bins.
  [[nodiscard]] double squared_error(const Grid& grid, double clip_weight) const;

  /// Kullback-Leibler divergence, times the number of elements, of the distribution after
  /// quantization from that before, over bins; elements outside of the grid count in its first or
  /// last bin before, and not at all after. Each code's mass is spread over its non-empty bins.
  [[nodiscard]] double divergence(const Grid& grid) const;

  [[nodiscard]] double bin_width() const noexcept { return width_; }

 private:
  /// Sums of 1, x and x^2.
  struct Moments {
    double zeroth = 0.0;
    double first = 0.0;
    double second = 0.0;
  };
  /// Prefix sums over whole bins.
  struct Prefix {
    double count = 0.0;
    double entropy = 0.0;   // sum of c log c
    double occupied = 0.0;  // bins with c > 0
  };
  [[nodiscard]] Moments below(double x) const noexcept;
  /// Sum of (x - level)^2 between two results of below().
  [[nodiscard]] static double error_around(double level, const Moments& from,
                                           const Moments& to) noexcept;
  [[nodiscard]] std::size_t bin_at(double x) const noexcept;

  double width_ = 1.0;
  double inverse_width_ = 1.0;  // exact: a power of two
  double lower_ = 0.0;          // edge of bin 0, uncut
  std::vector<double> counts_;
  std::vector<double> begin_;     // of each bin, cut
  std::vector<double> end_;       //
  std::vector<Moments> moments_;  // of all bins before i; one more than bins
  std::vector<Prefix> prefix_;
};

}  // namespace hexquant::calibrate
