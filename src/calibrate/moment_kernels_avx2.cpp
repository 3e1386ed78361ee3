#include <immintrin.h>

#include "calibrate/moment_kernels.h"

namespace hexquant::calibrate {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kHalf = 4;

double add_pairwise(__m256d low, __m256d high) noexcept {
  alignas(32) double lanes[kHalf];
  _mm256_store_pd(lanes, _mm256_add_pd(low, high));
  return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

RunMoments sum_run(const float* data, std::size_t count) noexcept {
  __m256d sum[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
  __m256d squares[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
  const auto add = [&](const float* x) {
    for (std::size_t half = 0; half < 2; ++half) {
      const __m256d wide = _mm256_cvtps_pd(_mm_loadu_ps(x + half * kHalf));
      sum[half] = _mm256_add_pd(sum[half], wide);
      squares[half] = _mm256_add_pd(squares[half], _mm256_mul_pd(wide, wide));
    }
  };
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) add(data + i);
  if (i < count) {
    float tail[kLanes] = {};  // adding 0 changes nothing
    for (std::size_t j = 0; i + j < count; ++j) tail[j] = data[i + j];
    add(tail);
  }
  return {add_pairwise(sum[0], sum[1]), add_pairwise(squares[0], squares[1])};
}

/// Blocks of 16 columns stay in registers while the rows go by; rows are then read with a stride,
/// which for the narrow blocked layouts is no stride at all.
template <std::size_t kGroups>
void add_columns(const float* data, std::size_t rows, std::size_t width, double* sum,
                 double* sum_of_squares) noexcept {
  __m256d sums[kGroups];
  __m256d squares[kGroups];
  for (std::size_t g = 0; g < kGroups; ++g) {
    sums[g] = _mm256_loadu_pd(sum + g * kHalf);
    squares[g] = _mm256_loadu_pd(sum_of_squares + g * kHalf);
  }
  for (std::size_t r = 0; r < rows; ++r, data += width) {
    for (std::size_t g = 0; g < kGroups; ++g) {
      const __m256d wide = _mm256_cvtps_pd(_mm_loadu_ps(data + g * kHalf));
      sums[g] = _mm256_add_pd(sums[g], wide);
      squares[g] = _mm256_add_pd(squares[g], _mm256_mul_pd(wide, wide));
    }
  }
  for (std::size_t g = 0; g < kGroups; ++g) {
    _mm256_storeu_pd(sum + g * kHalf, sums[g]);
    _mm256_storeu_pd(sum_of_squares + g * kHalf, squares[g]);
  }
}

void add_rows(const float* data, std::size_t rows, std::size_t width, double* sum,
              double* sum_of_squares) noexcept {
  std::size_t j = 0;
  for (; j + 16 <= width; j += 16) {
    add_columns<4>(data + j, rows, width, sum + j, sum_of_squares + j);
  }
  for (; j + 4 <= width; j += 4) {
    add_columns<1>(data + j, rows, width, sum + j, sum_of_squares + j);
  }
  for (; j < width; ++j) {
    for (std::size_t r = 0; r < rows; ++r) {
      const double x = data[r * width + j];
      sum[j] += x;
      sum_of_squares[j] += x * x;
    }
  }
}

}  // namespace

const MomentKernels& avx2_moment_kernels() noexcept {
  static constexpr MomentKernels kernels{sum_run, add_rows};
  return kernels;
}

}  // namespace hexquant::calibrate
