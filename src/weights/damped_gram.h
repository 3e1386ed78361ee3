#pragma once

#include <cstdint>
#include <vector>

#include "weights/round_layer.h"
#include "weights/weight_grid.h"

namespace hexquant::weights {

/// The matrices H' = H + lambda I of all groups, and what rounding needs of them.
///
/// A dead column (diag H <= 0) keeps lambda alone on its diagonal, or 1 where lambda is 0, and
/// zeros beside it: then its best code is the nearest one, and nothing else sees it.
struct DampedGram {
  std::int64_t columns = 0;
  std::vector<float> matrix;        ///< [groups, columns, columns]
  std::vector<double> added;        ///< [groups, columns]: H'_jj - H_jj
  std::vector<std::int32_t> order;  ///< [groups, columns]: column at each place of `root`
  std::vector<float> root;          ///< [groups, columns, columns]: upper R, H' in order = R R^T

  [[nodiscard]] const float* matrix_of(std::int64_t group) const noexcept {
    return matrix.data() + group * columns * columns;
  }
  [[nodiscard]] const float* root_of(std::int64_t group) const noexcept {
    return root.data() + group * columns * columns;
  }
  [[nodiscard]] const std::int32_t* order_of(std::int64_t group) const noexcept {
    return order.data() + group * columns;
  }
};

/// @param with_root  whether `root` is wanted; a matrix that is not positive definite in float gets
///                   a larger diagonal for it (relative steps of 10 from 1e-6)
[[nodiscard]] DampedGram damped_gram(const LayerProblem& problem, const RoundingOptions& options,
                                     const ScaleMap& map, bool with_root);

}  // namespace hexquant::weights
