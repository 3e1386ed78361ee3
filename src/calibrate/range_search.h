#pragma once

#include <cstdint>
#include <functional>

namespace hexquant::calibrate {

/// Two ends of a candidate range, low <= 0 <= high.
struct Ends {
  double low = 0.0;
  double high = 0.0;
};

/// Codes low_code ... high_code times `scale`: what encoding_from_range makes of a range.
struct Grid {
  double scale = 1.0;
  std::int64_t low_code = 0;
  std::int64_t high_code = 0;
};

/// Grid of a quantizer of `bits` bits for a range that contains 0; `symmetric` = signed, zero
/// point 0.
[[nodiscard]] Grid grid_for(Ends ends, int bits, bool symmetric) noexcept;

/// The candidate of least cost within `full`.
///
/// First each end times 2^(-k/3), k = 0 ... 15 (both ends together when `symmetric`, 2^(-k/12),
/// k = 0 ... 63, when only one end can move); then a pattern search that moves ends up and down by
/// factors, from 2^(1/6) on, halved until a step is shorter than `resolution`. Ties keep the wider
/// range.
[[nodiscard]] Ends shrink_range(Ends full, bool symmetric, double resolution,
                                const std::function<double(Ends)>& cost);

}  // namespace hexquant::calibrate
