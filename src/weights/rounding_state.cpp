#include "weights/rounding_state.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>

#include "core/parallel.h"
#include "linalg/quadratic_form.h"

namespace hexquant::weights {
namespace {

constexpr std::int64_t kRowChunk = 64;

/// Calls `body(row)` for each row of all groups.
void for_each_row(const RoundingContext& context, const std::function<void(std::int64_t)>& body) {
  const std::int64_t rows = context.problem.groups * context.problem.rows;
  parallel_for((rows + kRowChunk - 1) / kRowChunk, context.options.threads,
               [&](std::int64_t chunk) {
                 const std::int64_t last = std::min(rows, (chunk + 1) * kRowChunk);
                 for (std::int64_t row = chunk * kRowChunk; row < last; ++row) body(row);
               });
}

/// Adding and subtracting 1.5 * 2^23 rounds half to even, as long as steps are below 2^22.
float round_step(float value, const ScaleEntry& entry) noexcept {
  constexpr float kRounder = 12582912.0F;
  const float limited = std::min(std::max(value / entry.scale, entry.low), entry.high);
  return (limited + kRounder) - kRounder;
}

}  // namespace

double Rounding::error() const noexcept {
  return std::accumulate(row_errors.begin(), row_errors.end(), 0.0);
}

double Rounding::damped_error() const noexcept {
  return std::accumulate(row_damped.begin(), row_damped.end(), 0.0);
}

std::vector<float> nearest_steps(const RoundingContext& context, const LayerGrid& grid,
                                 const std::vector<float>& values) {
  std::vector<float> steps(values.size());
  const std::int64_t columns = context.problem.columns;
  for_each_row(context, [&](std::int64_t row) {
    for (std::int64_t block = 0; block < context.map.blocks(); ++block) {
      const std::size_t index = context.map.index(row, block);
      const ScaleEntry entry =
          context.ranges.with_limits(grid.scale[index], grid.zero_point[index]);
      for (std::int64_t j = context.map.first_column(block); j < context.map.last_column(block);
           ++j) {
        const auto at = static_cast<std::size_t>(row * columns + j);
        steps[at] = round_step(values[at], entry);
      }
    }
  });
  return steps;
}

void measure(const RoundingContext& context, Rounding& rounding) {
  const LayerProblem& problem = context.problem;
  const std::int64_t n = problem.columns;
  std::vector<float> values(rounding.steps.size());
  std::vector<double> added(static_cast<std::size_t>(problem.groups * problem.rows));
  for_each_row(context, [&](std::int64_t row) {
    const double* lambda = context.gram.added.data() + row / problem.rows * n;
    for (std::int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<std::size_t>(row * n + j);
      const std::size_t index = context.map.index(row, context.map.block_of(j));
      values[at] = rounding.steps[at] * rounding.grid.scale[index];
      const double difference = static_cast<double>(values[at]) - problem.target[at];
      added[static_cast<std::size_t>(row)] += lambda[j] * difference * difference;
    }
  });
  rounding.row_errors.resize(added.size());
  for_each_group(problem.groups, context.options.threads, [&](std::int64_t group, int threads) {
    const std::int64_t first = group * problem.rows * n;
    linalg::quadratic_forms(values.data() + first, problem.target.data() + first, problem.rows, n,
                            problem.gram.data() + group * n * n,
                            rounding.row_errors.data() + group * problem.rows, threads);
  });
  rounding.row_damped.resize(added.size());
  for (std::size_t row = 0; row < added.size(); ++row) {
    // A form of a semidefinite matrix is below 0 only by rounding.
    rounding.row_errors[row] = std::max(0.0, rounding.row_errors[row]);
    rounding.row_damped[row] = rounding.row_errors[row] + added[row];
  }
}

void keep_better(const RoundingContext& context, Rounding& current, const Rounding& proposal) {
  const bool same_scale = current.grid.scale == proposal.grid.scale &&
                          current.grid.zero_point == proposal.grid.zero_point;
  if (context.map.shared() && !same_scale) {
    if (proposal.damped_error() < current.damped_error()) current = proposal;
    return;
  }
  const std::int64_t n = context.problem.columns;
  const std::int64_t blocks = context.map.blocks();
  for (std::size_t row = 0; row < current.row_damped.size(); ++row) {
    if (!(proposal.row_damped[row] < current.row_damped[row])) continue;
    const auto copy_row = [row](const auto& from, auto& to, std::int64_t width) {
      const auto first = static_cast<std::ptrdiff_t>(row) * width;
      std::copy_n(from.begin() + first, width, to.begin() + first);
    };
    copy_row(proposal.steps, current.steps, n);
    current.row_errors[row] = proposal.row_errors[row];
    current.row_damped[row] = proposal.row_damped[row];
    if (context.map.shared()) continue;
    copy_row(proposal.grid.scale, current.grid.scale, blocks);
    copy_row(proposal.grid.zero_point, current.grid.zero_point, blocks);
    copy_row(proposal.grid.factor, current.grid.factor, blocks);
    if (!proposal.grid.row_scale.empty()) {
      copy_row(proposal.grid.row_scale, current.grid.row_scale, 1);
      copy_row(proposal.grid.block_int_scale, current.grid.block_int_scale, blocks);
    }
  }
}

}  // namespace hexquant::weights
