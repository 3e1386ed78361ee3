#pragma once

#include <cmath>

namespace hexquant {

/// Noise / signal of a signal-to-noise ratio in dB: 10^(-dB / 10); 0 for +inf, NaN for NaN.
[[nodiscard]] inline double noise_ratio(double sqnr_db) {
  return std::pow(10.0, -sqnr_db / 10.0);
}

}  // namespace hexquant
