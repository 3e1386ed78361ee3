#pragma once

#include <cstddef>

/// Sums of floats in double precision, in a fixed order: every variant gives the same bits (the
/// square of a float is exact in double). Plain data only, as in scan_kernels.h.
namespace hexquant::calibrate {

struct RunMoments {
  double sum;
  double sum_of_squares;
};

struct MomentKernels {
  /// Element i goes to partial sum i mod 8; the eight are added pairwise.
  RunMoments (*sum_run)(const float* data, std::size_t count) noexcept;
  /// sum[j] += data[r * width + j], likewise the squares, row after row.
  void (*add_rows)(const float* data, std::size_t rows, std::size_t width, double* sum,
                   double* sum_of_squares) noexcept;
};

[[nodiscard]] const MomentKernels& scalar_moment_kernels() noexcept;
[[nodiscard]] const MomentKernels& avx2_moment_kernels() noexcept;
/// The fastest variant that this machine runs.
[[nodiscard]] const MomentKernels& best_moment_kernels() noexcept;

}  // namespace hexquant::calibrate
