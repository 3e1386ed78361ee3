#include "linalg/product.h"

#include <cblas.h>

#include "linalg/blas.h"

namespace hexquant::linalg {

void add_product(const ProductShape& shape, const float* a, std::int64_t stride_a, const float* b,
                 std::int64_t stride_b, float* c, std::int64_t stride_c) {
  const int m = blas_size(shape.rows);
  const int n = blas_size(shape.columns);
  const int k = blas_size(shape.inner);
  if (m == 0 || n == 0 || k == 0) return;
  use_one_blas_thread();
  cblas_sgemm(CblasRowMajor, shape.transpose_a ? CblasTrans : CblasNoTrans,
              shape.transpose_b ? CblasTrans : CblasNoTrans, m, n, k, 1.0F, a, blas_size(stride_a),
              b, blas_size(stride_b), 1.0F, c, blas_size(stride_c));
}

}  // namespace hexquant::linalg
