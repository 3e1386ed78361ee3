#include "calibrate/moment_kernels.h"

#include "core/cpu_features.h"

namespace hexquant::calibrate {
namespace {

constexpr std::size_t kLanes = 8;

double add_pairwise(const double* lanes) noexcept {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
         ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

RunMoments sum_run(const float* data, std::size_t count) noexcept {
  double sum[kLanes] = {};
  double squares[kLanes] = {};
  for (std::size_t i = 0; i < count; ++i) {
    const double x = data[i];
    sum[i % kLanes] += x;
    squares[i % kLanes] += x * x;
  }
  return {add_pairwise(sum), add_pairwise(squares)};
}

void add_rows(const float* data, std::size_t rows, std::size_t width, double* sum,
              double* sum_of_squares) noexcept {
  for (std::size_t r = 0; r < rows; ++r, data += width) {
    for (std::size_t j = 0; j < width; ++j) {
      const double x = data[j];
      sum[j] += x;
      sum_of_squares[j] += x * x;
    }
  }
}

}  // namespace

const MomentKernels& scalar_moment_kernels() noexcept {
  static constexpr MomentKernels kernels{sum_run, add_rows};
  return kernels;
}

const MomentKernels& best_moment_kernels() noexcept {
  static const MomentKernels& best =
      cpu_has_avx2() ? avx2_moment_kernels() : scalar_moment_kernels();
  return best;
}

}  // namespace hexquant::calibrate
