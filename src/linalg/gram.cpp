#include "linalg/gram.h"

#include <cblas.h>

#include <limits>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::linalg {
namespace {

int blas_size(std::int64_t value) {
  if (value < 0 || value > std::numeric_limits<int>::max()) {
    throw Error(ErrorCode::kInvalidArgument,
                format("a matrix dimension of {} does not fit BLAS", value));
  }
  return static_cast<int>(value);
}

/// Work is divided above this library; OpenBLAS' own threads would change the order of sums.
void use_one_blas_thread() {
  static const bool once = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

void add_gram(const float* rows, std::int64_t row_count, std::int64_t columns, float* gram) {
  const int n = blas_size(columns);
  const int k = blas_size(row_count);
  if (n == 0 || k == 0) return;
  use_one_blas_thread();
  cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, n, k, 1.0F, rows, n, 1.0F, gram, n);
}

void mirror_upper(float* matrix, std::int64_t columns) noexcept {
  for (std::int64_t i = 0; i < columns; ++i) {
    for (std::int64_t j = 0; j < i; ++j) matrix[i * columns + j] = matrix[j * columns + i];
  }
}

}  // namespace hexquant::linalg
