#include "weights/layer_panels.h"

#include <numeric>

namespace hexquant::weights {
namespace {

/// Rows up to which narrow panels leave fewer lanes unused.
constexpr std::int64_t kNarrowRows = 32;

bool needs_root(const RoundingOptions& options) {
  return options.clip_search || options.gptq;
}

}  // namespace

void for_each_group(std::int64_t groups, int threads,
                    const std::function<void(std::int64_t, int)>& body) {
  if (groups < 2 * threads) {
    for (std::int64_t group = 0; group < groups; ++group) body(group, threads);
    return;
  }
  parallel_for(groups, threads, [&](std::int64_t group) { body(group, 1); });
}

RoundingContext::RoundingContext(const LayerProblem& problem_in, const GridSpec& spec_in,
                                 const RoundingOptions& options_in)
    : problem(problem_in),
      spec(spec_in),
      options(options_in),
      kernels(best_panel_kernels(problem.rows <= kNarrowRows ? kNarrowLanes : kWideLanes)),
      map(problem, spec),
      ranges(problem, spec, map),
      gram(damped_gram(problem, options, map, needs_root(options))),
      all_columns(static_cast<std::size_t>(problem.columns)) {
  std::iota(all_columns.begin(), all_columns.end(), 0);
}

std::int64_t RoundingContext::panel_count() const noexcept {
  return problem.groups * ((problem.rows + kernels.lanes - 1) / kernels.lanes);
}

PanelRows RoundingContext::panel(std::int64_t index) const noexcept {
  const std::int64_t per_group = (problem.rows + kernels.lanes - 1) / kernels.lanes;
  PanelRows rows;
  rows.group = index / per_group;
  const std::int64_t first = index % per_group * kernels.lanes;
  rows.first = rows.group * problem.rows + first;
  rows.count = std::min(kernels.lanes, problem.rows - first);
  return rows;
}

void load_panel(const float* values, std::int64_t columns, const PanelRows& rows,
                std::int64_t lanes, ColumnOrder order, float* panel) noexcept {
  if (rows.count < lanes) std::fill_n(panel, columns * lanes, 0.0F);
  // Tiles of 16 columns: a cache line of each row is used up before the next is fetched.
  constexpr std::int64_t kTile = 16;
  for (std::int64_t first = 0; first < columns; first += kTile) {
    const std::int64_t last = std::min(columns, first + kTile);
    for (std::int64_t r = 0; r < rows.count; ++r) {
      const float* row = values + (rows.first + r) * columns;
      for (std::int64_t j = first; j < last; ++j) {
        panel[j * lanes + r] = row[order == nullptr ? j : order[j]];
      }
    }
  }
}

void store_panel(const float* panel, std::int64_t columns, const PanelRows& rows,
                 std::int64_t lanes, ColumnOrder order, float* values) noexcept {
  constexpr std::int64_t kTile = 16;
  for (std::int64_t first = 0; first < columns; first += kTile) {
    const std::int64_t last = std::min(columns, first + kTile);
    for (std::int64_t r = 0; r < rows.count; ++r) {
      float* row = values + (rows.first + r) * columns;
      for (std::int64_t j = first; j < last; ++j) {
        row[order == nullptr ? j : order[j]] = panel[j * lanes + r];
      }
    }
  }
}

void PanelScales::load(const RoundingContext& context, const LayerGrid& grid, const PanelRows& rows,
                       ColumnOrder order) {
  lanes_ = context.kernels.lanes;
  const std::int64_t blocks = context.map.blocks();
  scale_.resize(blocks * lanes_);
  low_.resize(blocks * lanes_);
  high_.resize(blocks * lanes_);
  for (std::int64_t block = 0; block < blocks; ++block) {
    for (std::int64_t lane = 0; lane < rows.count; ++lane) {
      const std::size_t index = context.map.index(rows.first + lane, block);
      set(block, lane, context.ranges.with_limits(grid.scale[index], grid.zero_point[index]));
    }
    for (std::int64_t lane = rows.count; lane < lanes_; ++lane) set(block, lane, {});
  }
  const std::int64_t columns = context.problem.columns;
  block_.resize(static_cast<std::size_t>(columns));
  for (std::int64_t place = 0; place < columns; ++place) {
    const std::int64_t column = order == nullptr ? place : order[place];
    block_[static_cast<std::size_t>(place)] =
        static_cast<std::int32_t>(context.map.block_of(column));
  }
}

void PanelScales::set(std::int64_t block, std::int64_t lane, const ScaleEntry& entry) noexcept {
  const std::int64_t at = block * lanes_ + lane;
  scale_.data()[at] = entry.scale;
  low_.data()[at] = entry.low;
  high_.data()[at] = entry.high;
}

}  // namespace hexquant::weights
