#pragma once

#include <cstdint>

namespace hexquant::linalg {

/// The upper triangular R with matrix = R R^T, in place, in float with sums of the diagonal blocks
/// in double.
///
/// This is Cholesky's factorization taken from the last column to the first. Successive rounding
/// (GPTQ) needs exactly this factor: the usual way there, the Cholesky factor U of the inverse
/// (inverse = U^T U), is R^-1, and costs four times as much.
///
/// @param matrix   row-major [columns, columns], symmetric; only the upper triangle is read, and
///                 zeros are left below the diagonal
/// @param threads  the result does not depend on it
/// @return false when a pivot is not positive and finite: the matrix is not positive definite, and
///         its content is lost
[[nodiscard]] bool factor_upper(float* matrix, std::int64_t columns, int threads);

}  // namespace hexquant::linalg
