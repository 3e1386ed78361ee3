#include "quant/statistics.h"

#include <algorithm>
#include <cmath>

namespace hexquant::quant {

double Histogram::bin_width() const noexcept {
  return std::ldexp(1.0, exponent);
}

double Histogram::lower_edge() const noexcept {
  return std::ldexp(static_cast<double>(first_bin), exponent);
}

std::int64_t bin_index(float x, int exponent) noexcept {
  return static_cast<std::int64_t>(std::floor(std::ldexp(static_cast<double>(x), -exponent)));
}

int histogram_exponent(float min, float max) noexcept {
  constexpr int kIndexBits = 23;  // |x| < 2^(k+1) gives indices below 2^(k+1-exponent) = 2^24
  const float largest = std::max(std::abs(min), std::abs(max));
  if (largest == 0.0F) return Histogram::kMinExponent;
  int exponent = std::max(Histogram::kMinExponent, std::ilogb(largest) - kIndexBits);
  while (bin_index(max, exponent) - bin_index(min, exponent) >= Histogram::kMaxBins) ++exponent;
  return exponent;
}

}  // namespace hexquant::quant
