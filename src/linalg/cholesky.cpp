#include "linalg/cholesky.h"

#include <cblas.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/parallel.h"
#include "linalg/blas.h"

namespace hexquant::linalg {
namespace {

constexpr std::int64_t kBlock = 128;
/// Rows of a tile of the part that a block updates.
constexpr std::int64_t kTile = 256;

/// Factors the block [first, last) on the diagonal.
bool factor_diagonal(float* matrix, std::int64_t stride, std::int64_t first, std::int64_t last) {
  const std::int64_t size = last - first;
  std::vector<double> block(static_cast<std::size_t>(size * size));
  double* a = block.data();
  // Transposed, so that the inner loop below runs along a row.
  for (std::int64_t i = 0; i < size; ++i) {
    for (std::int64_t j = i; j < size; ++j)
      a[j * size + i] = matrix[(first + i) * stride + first + j];
  }
  for (std::int64_t k = size - 1; k >= 0; --k) {
    double* column = a + k * size;
    const double pivot = column[k];
    if (!(pivot > 0.0) || !std::isfinite(pivot)) return false;
    const double inverse = 1.0 / std::sqrt(pivot);
    for (std::int64_t i = 0; i <= k; ++i) column[i] *= inverse;
    for (std::int64_t j = 0; j < k; ++j) {
      const double factor = column[j];
      double* other = a + j * size;
      for (std::int64_t i = 0; i <= j; ++i) other[i] -= factor * column[i];
    }
  }
  for (std::int64_t i = 0; i < size; ++i) {
    float* row = matrix + (first + i) * stride + first;
    for (std::int64_t j = 0; j < size; ++j) {
      row[j] = j < i ? 0.0F : static_cast<float>(a[j * size + i]);
    }
    if (!(row[i] > 0.0F) || !std::isfinite(row[i])) return false;
  }
  return true;
}

/// Rows above the block [first, last): R_above = A_above R_block^-T.
void solve_above(float* matrix, std::int64_t stride, std::int64_t first, std::int64_t last,
                 int threads) {
  const std::int64_t tiles = (first + kTile - 1) / kTile;
  parallel_for(tiles, threads, [&](std::int64_t tile) {
    const std::int64_t begin = tile * kTile;
    const std::int64_t end = std::min(first, begin + kTile);
    cblas_strsm(CblasRowMajor, CblasRight, CblasUpper, CblasTrans, CblasNonUnit,
                static_cast<int>(end - begin), static_cast<int>(last - first), 1.0F,
                matrix + first * stride + first, static_cast<int>(stride),
                matrix + begin * stride + first, static_cast<int>(stride));
  });
}

/// Upper triangle of the leading [first, first] part: A -= R_above R_above^T, tile by tile.
void update_leading(float* matrix, std::int64_t stride, std::int64_t first, std::int64_t last,
                    int threads) {
  const std::int64_t tiles = (first + kTile - 1) / kTile;
  std::vector<std::array<std::int64_t, 2>> work;
  for (std::int64_t i = 0; i < tiles; ++i) {
    for (std::int64_t j = i; j < tiles; ++j) work.push_back({i * kTile, j * kTile});
  }
  parallel_for(static_cast<std::int64_t>(work.size()), threads, [&](std::int64_t item) {
    const auto [row, column] = work[static_cast<std::size_t>(item)];
    const std::int64_t rows = std::min(first, row + kTile) - row;
    const std::int64_t columns = std::min(first, column + kTile) - column;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(rows),
                static_cast<int>(columns), static_cast<int>(last - first), -1.0F,
                matrix + row * stride + first, static_cast<int>(stride),
                matrix + column * stride + first, static_cast<int>(stride), 1.0F,
                matrix + row * stride + column, static_cast<int>(stride));
  });
}

}  // namespace

bool factor_upper(float* matrix, std::int64_t columns, int threads) {
  (void)blas_size(columns);
  use_one_blas_thread();
  for (std::int64_t last = columns; last > 0;) {
    const std::int64_t first = (last - 1) / kBlock * kBlock;
    if (!factor_diagonal(matrix, columns, first, last)) return false;
    if (first > 0) {
      solve_above(matrix, columns, first, last, threads);
      update_leading(matrix, columns, first, last, threads);
    }
    last = first;
  }
  for (std::int64_t i = 0; i < columns; ++i) std::fill_n(matrix + i * columns, i, 0.0F);
  return true;
}

}  // namespace hexquant::linalg
