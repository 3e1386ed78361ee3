#include "calibrate/scan_kernels.h"

#include <cmath>
#include <limits>

namespace hexquant::calibrate {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

RangeScan scan_range(const float* data, std::size_t count) noexcept {
  RangeScan scan{kInfinity, -kInfinity, 0, 0};
  for (std::size_t i = 0; i < count; ++i) {
    const float x = data[i];
    if (!std::isfinite(x)) {
      ++scan.non_finite;
      continue;
    }
    if (x < scan.min) scan.min = x;
    if (x > scan.max) scan.max = x;
    if (x == 0.0F) ++scan.zeros;
  }
  return scan;
}

BinScan scan_bins(const float* data, std::size_t count, BinWindow window,
                  std::uint16_t* indices) noexcept {
  BinScan scan{kInfinity, -kInfinity, 0, 0, 0};
  const double inverse_width = window.inverse_width;
  const double first = window.first;
  for (std::size_t i = 0; i < count; ++i) {
    const float x = data[i];
    if (x < scan.min) scan.min = x;
    if (x > scan.max) scan.max = x;
    if (x == 0.0F) {
      ++scan.zeros;
      continue;
    }
    const double bin = std::floor(static_cast<double>(x) * inverse_width) - first;
    if (bin >= 0.0 && bin < window.bins) {
      indices[scan.indexed++] = static_cast<std::uint16_t>(bin);
    } else {
      ++scan.outside;
    }
  }
  return scan;
}

}  // namespace

const ScanKernels& scalar_scan_kernels() noexcept {
  static constexpr ScanKernels kernels{"scalar", scan_range, scan_bins};
  return kernels;
}

const ScanKernels& best_scan_kernels() noexcept {
  static const ScanKernels& best = cpu_has_avx512() ? avx512_scan_kernels()
                                   : cpu_has_avx2() ? avx2_scan_kernels()
                                                    : scalar_scan_kernels();
  return best;
}

}  // namespace hexquant::calibrate
