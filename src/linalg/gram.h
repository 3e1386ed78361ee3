#pragma once

#include <cstdint>

namespace hexquant::linalg {

/// Upper triangle of gram += rows^T rows, in float on the calling thread. The same call gives the
/// same bits on one machine, whatever other threads do.
///
/// @param rows  row-major [row_count, columns]
/// @param gram  row-major [columns, columns]; entries below the diagonal are left alone
/// @throws Error(kInvalidArgument) when a dimension is negative or does not fit into 32 bits
void add_gram(const float* rows, std::int64_t row_count, std::int64_t columns, float* gram);

/// Copies the upper triangle of a row-major [columns, columns] matrix onto the lower one.
void mirror_upper(float* matrix, std::int64_t columns) noexcept;

}  // namespace hexquant::linalg
