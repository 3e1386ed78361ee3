#include "weights/round_layer.h"

#include <cmath>
#include <cstddef>
#include <limits>

#include "core/format.h"
#include "hexquant/error.h"
#include "weights/coordinate_descent.h"
#include "weights/gptq.h"
#include "weights/gram_clip_search.h"
#include "weights/rounding_state.h"

namespace hexquant::weights {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message);
}

void check_values(const char* what, const std::vector<float>& values, std::int64_t expected) {
  if (static_cast<std::int64_t>(values.size()) != expected) {
    refuse(format("{} holds {} values: expected {}", what, values.size(), expected));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      refuse(format("{} holds {} at element {}: expected finite values", what, values[i], i));
    }
  }
}

void check_problem(const LayerProblem& problem) {
  if (problem.groups < 1 || problem.rows < 1 || problem.columns < 1 ||
      problem.columns > std::numeric_limits<std::int32_t>::max()) {
    refuse(format("a layer of {} groups, {} rows and {} columns: expected at least one of each",
                  problem.groups, problem.rows, problem.columns));
  }
  const std::int64_t weights = problem.groups * problem.rows * problem.columns;
  check_values("weights", problem.weights, weights);
  check_values("target", problem.target, weights);
  check_values("gram", problem.gram, problem.groups * problem.columns * problem.columns);
}

void check_options(const GridSpec& grid, const RoundingOptions& options) {
  if (grid.granularity == Granularity::kGroup && grid.block_size < 1) {
    refuse(format("block_size {}: expected at least 1", grid.block_size));
  }
  constexpr int kMostScaleBits = 15;  // a block's multiple is a uint16
  if (grid.block_scale_bits < 0 || grid.block_scale_bits > kMostScaleBits ||
      (grid.block_scale_bits > 0 && (grid.granularity != Granularity::kGroup || !grid.symmetric))) {
    refuse(format("block_scale_bits {}: expected 0, or 1 to {} with symmetric blocks",
                  grid.block_scale_bits, kMostScaleBits));
  }
  if (!(grid.range_factor > 0.0F) || !std::isfinite(grid.range_factor)) {
    refuse(format("range_factor {}: expected a positive number", grid.range_factor));
  }
  if (!(options.damping >= 0.0) || !std::isfinite(options.damping)) {
    refuse(format("damping {}: expected at least 0", options.damping));
  }
  if (options.threads < 1) refuse(format("threads {}: expected at least 1", options.threads));
}

RoundedLayer finish(Rounding rounding) {
  RoundedLayer layer;
  layer.codes.resize(rounding.steps.size());
  layer.scale = std::move(rounding.grid.scale);
  layer.zero_point = std::move(rounding.grid.zero_point);
  layer.block_int_scale = std::move(rounding.grid.block_int_scale);
  layer.row_scale = std::move(rounding.grid.row_scale);
  layer.error = rounding.error();
  return layer;
}

void fill_codes(const RoundingContext& context, const std::vector<float>& steps,
                RoundedLayer& layer) {
  const std::int64_t n = context.problem.columns;
  for (std::size_t at = 0; at < steps.size(); ++at) {
    const auto element = static_cast<std::int64_t>(at);
    const std::size_t index = context.map.index(element / n, context.map.block_of(element % n));
    layer.codes[at] = static_cast<std::int32_t>(steps[at]) + layer.zero_point[index];
  }
}

}  // namespace

RoundedLayer round_layer(const LayerProblem& problem, const GridSpec& grid,
                         const RoundingOptions& options) {
  check_problem(problem);
  check_options(grid, options);
  const RoundingContext context(problem, grid, options);
  const auto improve = [&](Rounding& current, Rounding proposal) {
    measure(context, proposal);
    keep_better(context, current, proposal);
  };
  Rounding current;
  current.grid = min_max_grid(context.ranges, context.map);
  if (grid.block_scale_bits > 0) {
    snap_to_row_scales(context.ranges, grid.block_scale_bits, current.grid);
  }
  current.steps = nearest_steps(context, current.grid, problem.weights);
  measure(context, current);
  const double error_min_max = current.error();
  if (options.clip_search) improve(current, search_clip_factors(context, current.grid));
  const double error_clip = current.error();
  if (options.gptq) improve(current, round_by_gptq(context, current.grid));
  const double error_gptq = current.error();
  int sweeps = 0;
  if (options.coordinate_descent) improve(current, descend(context, current, sweeps));
  const std::vector<float> steps = current.steps;
  RoundedLayer layer = finish(std::move(current));
  fill_codes(context, steps, layer);
  layer.error_min_max = error_min_max;
  layer.error_clip = error_clip;
  layer.error_gptq = error_gptq;
  layer.sweeps = sweeps;
  return layer;
}

}  // namespace hexquant::weights
