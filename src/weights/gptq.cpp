#include "weights/gptq.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "weights/panel_search.h"

namespace hexquant::weights {
namespace {

/// Blocks up to this size have their scales searched; their carried sums are copied for each trial.
constexpr std::int64_t kLargestSearchedBlock = 256;

FactorPlan gptq_plan(const RoundingContext& context) {
  if (!context.options.search_gptq_scales) return {{1.0F}, 0.0F, {}};
  if (context.bits() <= 4) return {{1.0F, 0.9F, 1.1F}, 0.1F, {0.05F, 0.025F}};
  if (context.bits() <= 8) return {{1.0F, 0.95F, 1.05F}, 0.05F, {}};
  return {{1.0F}, 0.0F, {}};
}

void add_to_later(const RoundingContext& context, const PanelRows& rows, std::int64_t first,
                  std::int64_t last, std::int64_t end, PanelTrial& trial) {
  if (last >= end) return;
  context.kernels.add_product({trial.carried.data(), trial.difference.data(),
                               context.gram.root_of(rows.group), context.problem.columns,
                               context.all_columns.data() + first, last - first, last, end});
}

GptqBlock gptq_block(const RoundingContext& context, const PanelRows& rows, std::int64_t first,
                     std::int64_t last, PanelTrial& trial, float* error) {
  return {trial.target.data(),
          trial.carried.data(),
          trial.steps.data(),
          trial.difference.data(),
          context.gram.root_of(rows.group),
          context.problem.columns,
          first,
          last,
          trial.scales.grid(),
          error};
}

void evaluate_gptq(const RoundingContext& context, const PanelRows& rows, PanelTrial& trial) {
  const std::int64_t n = context.problem.columns;
  const std::int64_t lanes = context.kernels.lanes;
  std::fill_n(trial.carried.data(), n * lanes, 0.0F);
  std::fill_n(trial.errors, lanes, 0.0);
  for (std::int64_t first = 0; first < n; first += kColumnBlock) {
    const std::int64_t last = std::min(n, first + kColumnBlock);
    alignas(64) float part[kWideLanes];
    context.kernels.round_gptq(gptq_block(context, rows, first, last, trial, part));
    for (std::int64_t lane = 0; lane < lanes; ++lane) trial.errors[lane] += part[lane];
    add_to_later(context, rows, first, last, n, trial);
  }
}

/// Tries scales of the block at places [first, last), whose carried sums hold all columns before
/// it, and leaves the best steps, differences and scales in `trial` and `grid`.
void search_block(const RoundingContext& context, const PanelRows& rows, std::int64_t block,
                  std::int64_t first, std::int64_t last, PanelTrial& trial, LayerGrid& grid) {
  const std::int64_t lanes = context.kernels.lanes;
  const std::int64_t floats = (last - first) * lanes;
  const auto count = static_cast<std::size_t>(rows.count);
  const std::vector<float> carried(trial.carried.data() + first * lanes,
                                   trial.carried.data() + last * lanes);
  const auto index = [&](std::size_t lane) {
    return context.map.index(rows.first + static_cast<std::int64_t>(lane), block);
  };
  std::vector<float> factors(count);
  for (std::size_t lane = 0; lane < count; ++lane) factors[lane] = grid.factor[index(lane)];
  alignas(64) float part[kWideLanes];
  const auto run = [&](std::span<const float> candidates) {
    for (std::size_t lane = 0; lane < count; ++lane) {
      trial.scales.set(block, static_cast<std::int64_t>(lane),
                       context.ranges.entry_on(grid, index(lane), candidates[lane]));
    }
    std::copy_n(carried.data(), floats, trial.carried.data() + first * lanes);
    context.kernels.round_gptq(gptq_block(context, rows, first, last, trial, part));
  };
  search_factors(
      gptq_plan(context), factors,
      [&](std::span<const float> candidates, std::span<double> errors) {
        run(candidates);
        std::copy_n(part, count, errors.begin());
      },
      [](std::span<const std::uint8_t>) {});
  run(factors);
  for (std::size_t lane = 0; lane < count; ++lane) {
    grid.set(index(lane), context.ranges.entry_on(grid, index(lane), factors[lane]), factors[lane]);
  }
}

/// Blocks one after the other. Small ones share a window of columns, which is finished before its
/// effect on the columns behind it is added.
void search_panel_blocks(const RoundingContext& context, const PanelRows& rows, PanelTrial& trial,
                         Rounding& result) {
  const std::int64_t n = context.problem.columns;
  const std::int64_t lanes = context.kernels.lanes;
  const ColumnOrder order = context.gram.order_of(rows.group);
  const auto block_end = [&](std::int64_t first) {
    const std::int64_t block = context.map.block_of(order[first]);
    return first + context.map.last_column(block) - context.map.first_column(block);
  };
  trial.load(context, result.grid, rows, order);
  std::fill_n(trial.carried.data(), n * lanes, 0.0F);
  for (std::int64_t window = 0, window_end = 0; window < n; window = window_end) {
    while (window_end < n && window_end - window < kColumnBlock) window_end = block_end(window_end);
    for (std::int64_t first = window; first < window_end; first = block_end(first)) {
      const std::int64_t last = block_end(first);
      search_block(context, rows, context.map.block_of(order[first]), first, last, trial,
                   result.grid);
      add_to_later(context, rows, first, last, window_end, trial);
    }
    add_to_later(context, rows, window, window_end, n, trial);
  }
  store_panel(trial.steps.data(), n, rows, lanes, order, result.steps.data());
}

}  // namespace

Rounding round_by_gptq(const RoundingContext& context, const LayerGrid& start) {
  Rounding result;
  result.grid = start;
  result.steps.resize(context.problem.target.size());
  const bool blocks = context.spec.granularity == Granularity::kGroup;
  const bool searched =
      context.options.search_gptq_scales && context.spec.block_size <= kLargestSearchedBlock;
  if (!blocks) {
    search_row_scales(context, gptq_plan(context), evaluate_gptq, result);
  } else if (searched) {
    for_each_panel<PanelTrial>(context,
                               [&](std::int64_t, const PanelRows& rows, PanelTrial& trial) {
                                 search_panel_blocks(context, rows, trial, result);
                               });
  } else {
    for_each_panel<PanelTrial>(context,
                               [&](std::int64_t, const PanelRows& rows, PanelTrial& trial) {
                                 const ColumnOrder order = context.gram.order_of(rows.group);
                                 trial.load(context, result.grid, rows, order);
                                 evaluate_gptq(context, rows, trial);
                                 store_panel(trial.steps.data(), context.problem.columns, rows,
                                             context.kernels.lanes, order, result.steps.data());
                               });
  }
  return result;
}

}  // namespace hexquant::weights
