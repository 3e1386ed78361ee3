#pragma once

#include <cstdint>

namespace hexquant::linalg {

/// c += op(a) op(b) in float on the calling thread; all row-major. The same call gives the same
/// bits on one machine, whatever other threads do.
///
/// op(a) is [rows, inner] (stored [inner, rows] when transpose_a), op(b) is [inner, columns]
/// (stored [columns, inner] when transpose_b). The strides are the lengths of stored rows.
struct ProductShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t inner = 0;
  bool transpose_a = false;
  bool transpose_b = false;
};

/// @throws Error(kInvalidArgument) when a dimension is negative or does not fit into 32 bits
void add_product(const ProductShape& shape, const float* a, std::int64_t stride_a, const float* b,
                 std::int64_t stride_b, float* c, std::int64_t stride_c);

}  // namespace hexquant::linalg
