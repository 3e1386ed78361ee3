#include "weights/panel_search.h"

#include <algorithm>
#include <cstddef>
#include <span>

namespace hexquant::weights {
namespace {

/// Copies the lanes that are 1 in `chosen`.
void copy_lanes(const float* from, std::span<const std::uint8_t> chosen, std::int64_t columns,
                std::int64_t lanes, float* to) noexcept {
  const auto count = static_cast<std::int64_t>(chosen.size());
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t lane = 0; lane < count; ++lane) {
      const std::int64_t at = j * lanes + lane;
      to[at] = chosen[static_cast<std::size_t>(lane)] != 0 ? from[at] : to[at];
    }
  }
}

/// Each row has a scale of its own.
void search_panel(const RoundingContext& context, const FactorPlan& plan,
                  const PanelEvaluation& evaluate, const PanelRows& rows, PanelTrial& trial,
                  Rounding& result) {
  const std::int64_t n = context.problem.columns;
  const std::int64_t lanes = context.kernels.lanes;
  const ColumnOrder order = context.gram.order_of(rows.group);
  const auto count = static_cast<std::size_t>(rows.count);
  trial.load(context, result.grid, rows, order);
  const auto index = [&](std::size_t lane) {
    return context.map.index(rows.first + static_cast<std::int64_t>(lane), 0);
  };
  std::vector<float> factors(count);
  for (std::size_t lane = 0; lane < count; ++lane) factors[lane] = result.grid.factor[index(lane)];
  std::fill_n(trial.best_steps.data(), n * lanes, 0.0F);
  search_factors(
      plan, factors,
      [&](std::span<const float> candidates, std::span<double> errors) {
        for (std::size_t lane = 0; lane < count; ++lane) {
          trial.scales.set(0, static_cast<std::int64_t>(lane),
                           context.ranges.entry(index(lane), candidates[lane]));
        }
        evaluate(context, rows, trial);
        std::copy_n(trial.errors, count, errors.begin());
      },
      [&](std::span<const std::uint8_t> better) {
        copy_lanes(trial.steps.data(), better, n, lanes, trial.best_steps.data());
      });
  for (std::size_t lane = 0; lane < count; ++lane) {
    result.grid.set(index(lane), context.ranges.entry(index(lane), factors[lane]), factors[lane]);
  }
  store_panel(trial.best_steps.data(), n, rows, lanes, order, result.steps.data());
}

/// Evaluates all panels on one scale; the sum of their errors.
double evaluate_all(const RoundingContext& context, const LayerGrid& grid,
                    const PanelEvaluation& evaluate, std::vector<float>& steps) {
  std::vector<double> errors(static_cast<std::size_t>(context.panel_count()));
  for_each_panel<PanelTrial>(context,
                             [&](std::int64_t i, const PanelRows& rows, PanelTrial& trial) {
                               const ColumnOrder order = context.gram.order_of(rows.group);
                               trial.load(context, grid, rows, order);
                               evaluate(context, rows, trial);
                               double sum = 0.0;
                               for (std::int64_t lane = 0; lane < rows.count; ++lane)
                                 sum += trial.errors[lane];
                               errors[static_cast<std::size_t>(i)] = sum;
                               store_panel(trial.steps.data(), context.problem.columns, rows,
                                           context.kernels.lanes, order, steps.data());
                             });
  double total = 0.0;
  for (const double error : errors) total += error;
  return total;
}

/// All rows share one scale.
void search_shared_scale(const RoundingContext& context, const FactorPlan& plan,
                         const PanelEvaluation& evaluate, Rounding& result) {
  LayerGrid grid = result.grid;
  std::vector<float> steps(result.steps.size());
  float factor = grid.factor[0];
  search_factors(
      plan, {&factor, 1},
      [&](std::span<const float> candidates, std::span<double> errors) {
        grid.set(0, context.ranges.entry(0, candidates[0]), candidates[0]);
        errors[0] = evaluate_all(context, grid, evaluate, steps);
      },
      [&](std::span<const std::uint8_t>) {
        result.grid = grid;
        result.steps.swap(steps);
      });
}

}  // namespace

void PanelTrial::load(const RoundingContext& context, const LayerGrid& grid, const PanelRows& rows,
                      ColumnOrder order) {
  for (AlignedFloats* buffer : {&target, &steps, &difference, &carried, &best_steps}) {
    buffer->resize(context.panel_floats());
  }
  load_panel(context.problem.target.data(), context.problem.columns, rows, context.kernels.lanes,
             order, target.data());
  scales.load(context, grid, rows, order);
}

void add_dots(const PanelKernels& kernels, const float* a, const float* b, std::int64_t columns,
              double* sums) noexcept {
  std::fill_n(sums, kernels.lanes, 0.0);
  for (std::int64_t first = 0; first < columns; first += kColumnBlock) {
    alignas(64) float part[kWideLanes];
    kernels.dot(a, b, first, std::min(columns, first + kColumnBlock), part);
    for (std::int64_t lane = 0; lane < kernels.lanes; ++lane) sums[lane] += part[lane];
  }
}

void search_row_scales(const RoundingContext& context, const FactorPlan& plan,
                       const PanelEvaluation& evaluate, Rounding& result) {
  if (context.map.shared()) {
    search_shared_scale(context, plan, evaluate, result);
    return;
  }
  for_each_panel<PanelTrial>(context, [&](std::int64_t, const PanelRows& rows, PanelTrial& trial) {
    search_panel(context, plan, evaluate, rows, trial, result);
  });
}

}  // namespace hexquant::weights
