#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "weights/factor_search.h"
#include "weights/rounding_state.h"

namespace hexquant::weights {

/// One panel while scales are tried.
struct PanelTrial {
  AlignedFloats target;
  AlignedFloats steps;
  AlignedFloats difference;  ///< value - target
  AlignedFloats carried;     ///< products of `difference`
  AlignedFloats best_steps;
  PanelScales scales;
  double errors[kWideLanes];

  void load(const RoundingContext& context, const LayerGrid& grid, const PanelRows& rows,
            ColumnOrder order);
};

/// sums[lane] = sum of a * b over `columns`: float within a block of columns, double across.
void add_dots(const PanelKernels& kernels, const float* a, const float* b, std::int64_t columns,
              double* sums) noexcept;

/// Fills steps and errors of a loaded trial, on its scales.
using PanelEvaluation = std::function<void(const RoundingContext&, const PanelRows&, PanelTrial&)>;

/// For scales of whole rows, or a single scale: tries the factors of the plan times those of
/// `result.grid`, and leaves there the best scales with the steps found for them.
void search_row_scales(const RoundingContext& context, const FactorPlan& plan,
                       const PanelEvaluation& evaluate, Rounding& result);

}  // namespace hexquant::weights
