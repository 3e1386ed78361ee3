#include "weights/damped_gram.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "core/parallel.h"
#include "linalg/cholesky.h"
#include "weights/layer_panels.h"

namespace hexquant::weights {
namespace {

void damp(const float* gram, std::int64_t n, double damping, float* matrix, double* added) {
  std::copy_n(gram, n * n, matrix);
  double trace = 0.0;
  for (std::int64_t j = 0; j < n; ++j) trace += std::max(0.0, double{gram[j * n + j]});
  const double lambda = damping * trace / static_cast<double>(n);
  for (std::int64_t j = 0; j < n; ++j) {
    const double diagonal = gram[j * n + j];
    double damped = diagonal + lambda;
    if (!(diagonal > 0.0)) {
      damped = lambda > 0.0 ? lambda : 1.0;
      for (std::int64_t i = 0; i < n; ++i) matrix[i * n + j] = matrix[j * n + i] = 0.0F;
    }
    matrix[j * n + j] = static_cast<float>(damped);
    // A lambda too small for a float beside a huge diagonal: the weakest column still needs a
    // pivot.
    if (!(matrix[j * n + j] > 0.0F)) matrix[j * n + j] = std::numeric_limits<float>::min();
    added[j] = static_cast<double>(matrix[j * n + j]) - diagonal;
  }
}

/// Upper triangle of the matrix with rows and columns in order, its diagonal times 1 + extra.
void load_ordered(const float* matrix, const std::int32_t* order, std::int64_t n, double extra,
                  float* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float* row = matrix + order[i] * n;
    for (std::int64_t j = i; j < n; ++j) out[i * n + j] = row[order[j]];
    out[i * n + i] = static_cast<float>(out[i * n + i] * (1.0 + extra));
  }
}

void factor(const float* matrix, const std::int32_t* order, std::int64_t n, int threads,
            float* root) {
  constexpr double kFirstExtra = 1e-6;
  constexpr double kLastExtra = 10.0;
  load_ordered(matrix, order, n, 0.0, root);
  if (linalg::factor_upper(root, n, threads)) return;
  for (double extra = kFirstExtra; extra < kLastExtra; extra *= 10.0) {
    load_ordered(matrix, order, n, extra, root);
    if (linalg::factor_upper(root, n, threads)) return;
  }
  std::fill_n(root, n * n, 0.0F);
  for (std::int64_t j = 0; j < n; ++j) root[j * n + j] = std::sqrt(matrix[order[j] * (n + 1)]);
}

/// Columns by falling diagonal; those of a block of scales stay together, blocks by falling mean.
void choose_order(const float* matrix, std::int64_t n, const ScaleMap& map, std::int32_t* order) {
  const auto diagonal = [&](std::int64_t j) { return matrix[j * (n + 1)]; };
  std::vector<std::int64_t> blocks(static_cast<std::size_t>(map.blocks()));
  std::vector<double> means(blocks.size());
  std::iota(blocks.begin(), blocks.end(), 0);
  for (const std::int64_t block : blocks) {
    double sum = 0.0;
    for (std::int64_t j = map.first_column(block); j < map.last_column(block); ++j) {
      sum += diagonal(j);
    }
    means[static_cast<std::size_t>(block)] =
        sum / static_cast<double>(map.last_column(block) - map.first_column(block));
  }
  std::stable_sort(blocks.begin(), blocks.end(), [&](std::int64_t a, std::int64_t b) {
    return means[static_cast<std::size_t>(a)] > means[static_cast<std::size_t>(b)];
  });
  std::int32_t* next = order;
  for (const std::int64_t block : blocks) {
    const std::int64_t width = map.last_column(block) - map.first_column(block);
    std::iota(next, next + width, static_cast<std::int32_t>(map.first_column(block)));
    std::stable_sort(next, next + width,
                     [&](std::int32_t a, std::int32_t b) { return diagonal(a) > diagonal(b); });
    next += width;
  }
}

}  // namespace

DampedGram damped_gram(const LayerProblem& problem, const RoundingOptions& options,
                       const ScaleMap& map, bool with_root) {
  const std::int64_t n = problem.columns;
  DampedGram gram;
  gram.columns = n;
  gram.matrix.resize(problem.gram.size());
  gram.added.resize(static_cast<std::size_t>(problem.groups * n));
  gram.order.resize(gram.added.size());
  if (with_root) gram.root.resize(problem.gram.size());
  for_each_group(problem.groups, options.threads, [&](std::int64_t group, int threads) {
    float* matrix = gram.matrix.data() + group * n * n;
    std::int32_t* order = gram.order.data() + group * n;
    damp(problem.gram.data() + group * n * n, n, options.damping, matrix,
         gram.added.data() + group * n);
    if (options.activation_order) {
      choose_order(matrix, n, map, order);
    } else {
      std::iota(order, order + n, 0);
    }
    if (with_root) factor(matrix, order, n, threads, gram.root.data() + group * n * n);
  });
  return gram;
}

}  // namespace hexquant::weights
