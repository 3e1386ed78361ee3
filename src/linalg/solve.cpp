#include "linalg/solve.h"

#include "linalg/blas.h"

// The LAPACK part of OpenBLAS has no C header of its own.
extern "C" {
void dpotrf_(const char* triangle, const int* n, double* a, const int* stride, int* info);
void dpotrs_(const char* triangle, const int* n, const int* count, const double* a,
             const int* stride, double* b, const int* stride_b, int* info);
}

namespace hexquant::linalg {

bool solve_positive_definite(double* matrix, std::int64_t size, double* rows, std::int64_t count) {
  const int n = blas_size(size);
  const int systems = blas_size(count);
  if (n == 0 || systems == 0) return true;
  use_one_blas_thread();
  // Row-major upper is column-major lower; rows of X are columns there.
  const char lower = 'L';
  int info = 0;
  dpotrf_(&lower, &n, matrix, &n, &info);
  if (info != 0) return false;
  dpotrs_(&lower, &n, &systems, matrix, &n, rows, &n, &info);
  return info == 0;
}

}  // namespace hexquant::linalg
