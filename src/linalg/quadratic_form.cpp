#include "linalg/quadratic_form.h"

#include <cblas.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/parallel.h"
#include "linalg/blas.h"

namespace hexquant::linalg {
namespace {

constexpr std::int64_t kRowBlock = 128;
constexpr std::int64_t kTile = 256;
/// Up to this many columns a plain loop is faster than BLAS.
constexpr std::int64_t kSmall = 64;

/// d matrix d^T = sum_i d_i (m_ii d_i + 2 sum_{j > i} m_ij d_j).
double small_form(const double* d, const float* matrix, std::int64_t columns) noexcept {
  double form = 0.0;
  for (std::int64_t i = 0; i < columns; ++i) {
    if (d[i] == 0.0) continue;
    const float* row = matrix + i * columns;
    double above = 0.0;
    for (std::int64_t j = i + 1; j < columns; ++j) above += row[j] * d[j];
    form += d[i] * (row[i] * d[i] + 2.0 * above);
  }
  return form;
}

/// Working memory of one block of rows.
struct Scratch {
  std::vector<double> difference;
  std::vector<double> tile = std::vector<double>(kTile * kTile);
  std::vector<double> product;
};

/// The tile [i0, i1) x [j0, j1) in double; below the diagonal of a diagonal tile stand zeros, and
/// what stands for both triangles counts twice.
void load_tile(const float* matrix, std::int64_t stride, std::int64_t i0, std::int64_t i1,
               std::int64_t j0, std::int64_t j1, std::vector<double>& tile) noexcept {
  for (std::int64_t i = i0; i < i1; ++i) {
    double* out = tile.data() + (i - i0) * kTile;
    const float* row = matrix + i * stride;
    for (std::int64_t j = j0; j < j1; ++j) out[j - j0] = 2.0 * row[j];
    if (i0 != j0) continue;
    for (std::int64_t j = j0; j < i; ++j) out[j - j0] = 0.0;
    out[i - j0] = row[i];
  }
}

void block_forms(std::int64_t rows, std::int64_t columns, const float* matrix, Scratch& scratch,
                 double* forms) {
  std::fill_n(forms, rows, 0.0);
  const double* difference = scratch.difference.data();
  scratch.product.resize(static_cast<std::size_t>(rows * kTile));
  for (std::int64_t j0 = 0; j0 < columns; j0 += kTile) {
    const std::int64_t j1 = std::min(columns, j0 + kTile);
    std::fill(scratch.product.begin(), scratch.product.end(), 0.0);
    for (std::int64_t i0 = 0; i0 <= j0; i0 += kTile) {
      const std::int64_t i1 = std::min(columns, i0 + kTile);
      load_tile(matrix, columns, i0, i1, j0, j1, scratch.tile);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows),
                  static_cast<int>(j1 - j0), static_cast<int>(i1 - i0), 1.0, difference + i0,
                  static_cast<int>(columns), scratch.tile.data(), kTile, 1.0,
                  scratch.product.data(), kTile);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = j0; j < j1; ++j) {
        forms[r] += scratch.product[static_cast<std::size_t>(r * kTile + j - j0)] *
                    difference[r * columns + j];
      }
    }
  }
}

}  // namespace

void quadratic_forms(const float* a, const float* b, std::int64_t rows, std::int64_t columns,
                     const float* matrix, double* forms, int threads) {
  (void)blas_size(columns);
  use_one_blas_thread();
  const std::int64_t blocks = (rows + kRowBlock - 1) / kRowBlock;
  parallel_for(blocks, threads, [&](std::int64_t block) {
    const std::int64_t first = block * kRowBlock;
    const std::int64_t count = std::min(rows, first + kRowBlock) - first;
    std::vector<double> difference(static_cast<std::size_t>(count * columns));
    for (std::size_t i = 0; i < difference.size(); ++i) {
      const auto at = static_cast<std::size_t>(first * columns) + i;
      difference[i] = static_cast<double>(a[at]) - b[at];
    }
    if (columns <= kSmall) {
      for (std::int64_t r = 0; r < count; ++r) {
        forms[first + r] = small_form(difference.data() + r * columns, matrix, columns);
      }
      return;
    }
    Scratch scratch;
    scratch.difference = std::move(difference);
    block_forms(count, columns, matrix, scratch, forms + first);
  });
}

}  // namespace hexquant::linalg
