#pragma once

#include <cstdint>

namespace hexquant::linalg {

/// A dimension as BLAS takes it.
/// @throws Error(kInvalidArgument) when it is negative or does not fit into 32 bits
[[nodiscard]] int blas_size(std::int64_t value);

/// Work is divided above this library; OpenBLAS' own threads would change the order of sums.
void use_one_blas_thread();

}  // namespace hexquant::linalg
