#include "weights/fit_target.h"

#include <cstddef>

#include "core/parallel.h"
#include "linalg/solve.h"

namespace hexquant::weights {
namespace {

void fit_group(const quant::LayerMoments& moments, std::span<const float> weights, double damping,
               std::int64_t group, std::vector<float>& target) {
  const std::int64_t n = moments.columns;
  const std::int64_t m = moments.rows;
  const float* const gram = moments.gram.data() + group * n * n;
  const auto weight_offset = static_cast<std::size_t>(group * m * n);
  double trace = 0.0;
  for (std::int64_t i = 0; i < n; ++i) trace += gram[i * n + i];
  const double lambda = damping * trace / static_cast<double>(n);
  if (!(lambda > 0.0)) return;
  std::vector<double> matrix(gram, gram + n * n);
  for (std::int64_t i = 0; i < n; ++i) matrix[static_cast<std::size_t>(i * n + i)] += lambda;
  std::vector<double> rows(static_cast<std::size_t>(m * n));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] =
        moments.cross[weight_offset + i] + lambda * static_cast<double>(weights[weight_offset + i]);
  }
  if (!linalg::solve_positive_definite(matrix.data(), n, rows.data(), m)) return;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    target[weight_offset + i] = static_cast<float>(rows[i]);
  }
}

}  // namespace

std::vector<float> fit_target(const quant::LayerMoments& moments, std::span<const float> weights,
                              double damping, int threads) {
  std::vector<float> target(weights.begin(), weights.end());
  parallel_for(moments.groups, threads,
               [&](std::int64_t group) { fit_group(moments, weights, damping, group, target); });
  return target;
}

}  // namespace hexquant::weights
