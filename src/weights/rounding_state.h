#pragma once

#include <vector>

#include "weights/layer_panels.h"

namespace hexquant::weights {

/// A rounding of the whole layer, and its errors.
struct Rounding {
  LayerGrid grid;
  std::vector<float> steps;        ///< [groups, rows, columns]: code - zero point
  std::vector<double> row_errors;  ///< [groups, rows], under H
  std::vector<double> row_damped;  ///< [groups, rows], under H'

  [[nodiscard]] double error() const noexcept;
  [[nodiscard]] double damped_error() const noexcept;
};

/// Nearest steps of `values` ([groups, rows, columns]) on `grid`.
[[nodiscard]] std::vector<float> nearest_steps(const RoundingContext& context,
                                               const LayerGrid& grid,
                                               const std::vector<float>& values);

/// Errors of a rounding against the target, in double.
void measure(const RoundingContext& context, Rounding& rounding);

/// Takes over what is better under H' (measured): row by row, or as a whole where rows share a
/// scale that differs. So no step ever raises the error of a row.
void keep_better(const RoundingContext& context, Rounding& current, const Rounding& proposal);

}  // namespace hexquant::weights
