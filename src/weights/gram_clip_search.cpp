#include "weights/gram_clip_search.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "weights/factor_search.h"
#include "weights/panel_search.h"

namespace hexquant::weights {
namespace {

/// Four bits gain from cutting off much of the range; finer grids only from cutting off outliers.
/// Where GPTQ searches scales of long rows, half the trials do: its search starts from the result,
/// and the final error changes by less than 0.5 %.
FactorPlan clip_plan(const RoundingContext& context) {
  const bool rough = context.options.gptq && context.options.search_gptq_scales &&
                     context.spec.granularity != Granularity::kGroup &&
                     context.problem.columns > kColumnBlock;
  const float step = rough ? 0.1F : 0.05F;
  const float smallest = context.bits() <= 4 ? 0.35F : 0.55F;
  FactorPlan plan;
  for (float factor = 1.0F; factor > smallest; factor -= step) plan.coarse.push_back(factor);
  plan.extend = step;
  plan.refine = {step / 2.0F};
  if (!rough) plan.refine.push_back(step / 4.0F);
  return plan;
}

/// Error of the target's nearest steps: sum_k y_k^2, y = (value - target) R.
void evaluate_nearest(const RoundingContext& context, const PanelRows& rows, PanelTrial& trial) {
  const std::int64_t n = context.problem.columns;
  const std::int64_t lanes = context.kernels.lanes;
  context.kernels.round_nearest(trial.target.data(), trial.scales.grid(), 0, n, trial.steps.data(),
                                trial.difference.data());
  std::fill_n(trial.carried.data(), n * lanes, 0.0F);
  for (std::int64_t first = 0; first < n; first += kColumnBlock) {
    const std::int64_t last = std::min(n, first + kColumnBlock);
    context.kernels.add_product({trial.carried.data(), trial.difference.data(),
                                 context.gram.root_of(rows.group), n,
                                 context.all_columns.data() + first, last - first, first, n});
  }
  add_dots(context.kernels, trial.carried.data(), trial.carried.data(), n, trial.errors);
}

/// The search for one block of columns of a panel.
void search_block(const RoundingContext& context, const PanelRows& rows, std::int64_t block,
                  const FactorPlan& plan, PanelTrial& trial, LayerGrid& grid) {
  const std::int64_t n = context.problem.columns;
  const std::int64_t lanes = context.kernels.lanes;
  const std::int64_t first = context.map.first_column(block);
  const std::int64_t last = context.map.last_column(block);
  const auto count = static_cast<std::size_t>(rows.count);
  std::vector<float> factors(count);
  const auto index = [&](std::size_t lane) {
    return context.map.index(rows.first + static_cast<std::int64_t>(lane), block);
  };
  for (std::size_t lane = 0; lane < count; ++lane) factors[lane] = grid.factor[index(lane)];
  const auto evaluate = [&](std::span<const float> candidates, std::span<double> errors) {
    for (std::size_t lane = 0; lane < count; ++lane) {
      trial.scales.set(block, static_cast<std::int64_t>(lane),
                       context.ranges.entry_on(grid, index(lane), candidates[lane]));
    }
    context.kernels.round_nearest(trial.target.data(), trial.scales.grid(), first, last,
                                  trial.steps.data(), trial.difference.data());
    std::fill(trial.carried.data() + first * lanes, trial.carried.data() + last * lanes, 0.0F);
    context.kernels.add_product({trial.carried.data(), trial.difference.data(),
                                 context.gram.matrix_of(rows.group), n,
                                 context.all_columns.data() + first, last - first, first, last});
    alignas(64) float sums[kWideLanes];
    context.kernels.dot(trial.carried.data(), trial.difference.data(), first, last, sums);
    std::copy_n(sums, count, errors.begin());
  };
  search_factors(plan, factors, evaluate, [](std::span<const std::uint8_t>) {});
  for (std::size_t lane = 0; lane < count; ++lane) {
    grid.set(index(lane), context.ranges.entry_on(grid, index(lane), factors[lane]), factors[lane]);
  }
}

void search_blocks(const RoundingContext& context, const FactorPlan& plan, Rounding& result) {
  const std::int64_t n = context.problem.columns;
  for_each_panel<PanelTrial>(context, [&](std::int64_t, const PanelRows& rows, PanelTrial& trial) {
    trial.load(context, result.grid, rows, nullptr);
    for (std::int64_t block = 0; block < context.map.blocks(); ++block) {
      search_block(context, rows, block, plan, trial, result.grid);
    }
    trial.scales.load(context, result.grid, rows, nullptr);
    context.kernels.round_nearest(trial.target.data(), trial.scales.grid(), 0, n,
                                  trial.steps.data(), trial.difference.data());
    store_panel(trial.steps.data(), n, rows, context.kernels.lanes, nullptr, result.steps.data());
  });
}

}  // namespace

Rounding search_clip_factors(const RoundingContext& context, const LayerGrid& start) {
  Rounding result;
  result.grid = start;
  result.grid.row_scale.clear();
  result.steps.resize(context.problem.target.size());
  if (context.spec.granularity == Granularity::kGroup) {
    search_blocks(context, clip_plan(context), result);
    if (context.spec.block_scale_bits > 0) {
      snap_to_row_scales(context.ranges, context.spec.block_scale_bits, result.grid);
      search_blocks(context, {{1.0F, 0.85F, 1.15F}, 0.0F, {}}, result);
    }
  } else {
    search_row_scales(context, clip_plan(context), evaluate_nearest, result);
  }
  return result;
}

}  // namespace hexquant::weights
