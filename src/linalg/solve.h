#pragma once

#include <cstdint>

namespace hexquant::linalg {

/// Solves X A = B for X in place: every row of `rows` becomes the solution of one system. Both are
/// row-major; A is overwritten by its Cholesky factor. Runs on the calling thread.
///
/// @param matrix  [size, size], symmetric; only its upper triangle is read
/// @param rows    [count, size]
/// @return false when A is not positive definite to working precision; `rows` is then unchanged
[[nodiscard]] bool solve_positive_definite(double* matrix, std::int64_t size, double* rows,
                                           std::int64_t count);

}  // namespace hexquant::linalg
