#pragma once

#include <cstdint>

namespace hexquant::linalg {

/// forms[r] = d_r matrix d_r^T for each row d_r = a_r - b_r, all in double.
///
/// @param a,b      row-major [rows, columns]
/// @param matrix   row-major [columns, columns], symmetric: only the upper triangle is read
/// @param forms    [rows]
/// @param threads  the result does not depend on it
void quadratic_forms(const float* a, const float* b, std::int64_t rows, std::int64_t columns,
                     const float* matrix, double* forms, int threads);

}  // namespace hexquant::linalg
