#include "linalg/gram.h"

#include <cblas.h>

#include "linalg/blas.h"

namespace hexquant::linalg {

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
