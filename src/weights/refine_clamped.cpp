#include "weights/refine_clamped.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/parallel.h"
#include "quant/fake_quant.h"
#include "weights/clamp_kernels.h"

namespace hexquant::weights {
namespace {

/// Rows that share a pass over the inputs: their outputs stay in a second-level cache.
constexpr std::int64_t kRowsOfTask = 8;
/// The second sweep finds a tenth of what the first did.
constexpr int kSweeps = 2;
/// A change must save this share of the row's error: less is noise of the samples.
constexpr double kLeastGain = 1e-5;

float clamped(float value, const Clamp& clamp) {
  return std::min(std::max(value, clamp.low), clamp.high);
}

/// The last quarter of the positions, other samples than the rest, is held out.
std::int64_t fitted_count(const quant::LayerSamples& samples) {
  return samples.count / 4 * 3;
}

/// Outputs and goals of one row on one part of the samples.
struct RowPart {
  std::vector<float> output;
  std::vector<float> goal;
  double loss = 0.0;
};

/// What is known of one row while its codes change.
struct RowState {
  std::vector<std::int32_t> codes;
  float bias = 0.0F;
  RowPart fitted;
  RowPart held_out;
  double first_fitted = 0.0;
  double first_held_out = 0.0;
};

class GroupRefiner {
 public:
  GroupRefiner(const quant::LayerSamples& samples, const Clamp& clamp, const GridSpec& grid,
               std::int64_t group, std::int64_t rows, std::int64_t columns, bool moves_bias)
      : samples_(samples),
        clamp_(clamp),
        group_(group),
        rows_(rows),
        columns_(columns),
        moves_bias_(moves_bias),
        fitted_(fitted_count(samples)),
        kernels_(best_clamp_kernels()),
        granularity_(grid.granularity),
        block_(grid.granularity == Granularity::kGroup ? grid.block_size : columns) {
    Encoding encoding;
    encoding.type = grid.type;
    encoding.strict = grid.strict;
    lowest_ = encoding.q_min();
    highest_ = encoding.q_max();
    if (grid.range_factor > 1.0F) {
      // Codes beyond the range stay unused, as range_factor wants it.
      lowest_ = -static_cast<std::int64_t>(static_cast<double>(highest_) / grid.range_factor);
      highest_ = -lowest_;
    }
  }

  /// Rows [first, last). Errors are added to `error`; powers to `power`.
  void run(std::int64_t first, std::int64_t last, RoundedLayer& rounded, std::vector<float>& bias,
           ClampedError& error, double& power) const {
    std::vector<RowState> states;
    for (std::int64_t r = first; r < last; ++r) states.push_back(load(r, rounded, bias));
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      bool changed = false;
      for (std::int64_t c = 0; c < columns_; ++c) {
        for (std::int64_t r = first; r < last; ++r) {
          changed |= try_steps(r, c, rounded, states[static_cast<std::size_t>(r - first)]);
        }
      }
      if (moves_bias_) {
        for (RowState& state : states) move_bias(state);
      }
      if (!changed) break;
    }
    for (std::int64_t r = first; r < last; ++r) {
      store(r, states[static_cast<std::size_t>(r - first)], rounded, bias, error, power);
    }
  }

 private:
  [[nodiscard]] std::size_t row_index(std::int64_t row) const {
    return static_cast<std::size_t>(group_ * rows_ + row);
  }

  [[nodiscard]] std::size_t scale_index(std::int64_t row, std::int64_t column) const {
    if (granularity_ == Granularity::kTensor) return 0;
    const std::int64_t blocks = (columns_ + block_ - 1) / block_;
    return row_index(row) * static_cast<std::size_t>(blocks) +
           static_cast<std::size_t>(column / block_);
  }

  [[nodiscard]] RowState load(std::int64_t row, const RoundedLayer& rounded,
                              const std::vector<float>& bias) const {
    RowState state;
    const auto begin =
        rounded.codes.begin() + static_cast<std::ptrdiff_t>(row_index(row)) * columns_;
    state.codes.assign(begin, begin + columns_);
    state.bias = bias[row_index(row)];
    fill(row, rounded, state, 0, fitted_, state.fitted);
    fill(row, rounded, state, fitted_, samples_.count, state.held_out);
    state.first_fitted = state.fitted.loss;
    state.first_held_out = state.held_out.loss;
    return state;
  }

  /// Outputs, goals and loss of positions [first, last).
  void fill(std::int64_t row, const RoundedLayer& rounded, const RowState& state,
            std::int64_t first, std::int64_t last, RowPart& part) const {
    const float* const target = samples_.target(group_ * rows_ + row);
    for (std::int64_t p = first; p < last; ++p) part.goal.push_back(clamped(target[p], clamp_));
    part.output.assign(part.goal.size(), state.bias);
    for (std::int64_t c = 0; c < columns_; ++c) {
      const std::size_t s = scale_index(row, c);
      const auto step =
          static_cast<float>(state.codes[static_cast<std::size_t>(c)] - rounded.zero_point[s]);
      if (step == 0.0F) continue;
      kernels_.add_scaled(part.output.data(), samples_.input(group_, c) + first,
                          step * rounded.scale[s], last - first);
    }
    part.loss = loss(part);
  }

  [[nodiscard]] ClampedRow view(const RowPart& part) const {
    return {part.output.data(), part.goal.data(), static_cast<std::int64_t>(part.output.size()),
            clamp_.low, clamp_.high};
  }

  [[nodiscard]] double loss(const RowPart& part) const {
    double losses[2];
    kernels_.step_losses(view(part), part.goal.data(), 0.0F, losses);
    return losses[0];
  }

  bool try_steps(std::int64_t row, std::int64_t column, const RoundedLayer& rounded,
                 RowState& state) const {
    if (!(state.fitted.loss > 0.0)) return false;
    const float scale = rounded.scale[scale_index(row, column)];
    const float* const input = samples_.input(group_, column);
    double losses[2];
    kernels_.step_losses(view(state.fitted), input, scale, losses);
    std::int32_t& code = state.codes[static_cast<std::size_t>(column)];
    const int direction = losses[0] < losses[1] ? -1 : 1;
    const double best = std::min(losses[0], losses[1]);
    const std::int64_t wanted = code + direction;
    if (!(best < state.fitted.loss * (1.0 - kLeastGain)) || wanted < lowest_ || wanted > highest_) {
      return false;
    }
    code = static_cast<std::int32_t>(wanted);
    const float move = static_cast<float>(direction) * scale;
    kernels_.add_scaled(state.fitted.output.data(), input, move, fitted_);
    kernels_.add_scaled(state.held_out.output.data(), input + fitted_, move,
                        samples_.count - fitted_);
    state.fitted.loss = best;
    return true;
  }

  /// One Newton step where the clamp lets the output through; kept if the error falls.
  void move_bias(RowState& state) const {
    double sum = 0.0;
    std::int64_t open = 0;
    for (std::size_t p = 0; p < state.fitted.output.size(); ++p) {
      const float output = state.fitted.output[p];
      if (output <= clamp_.low || output >= clamp_.high) continue;
      sum += static_cast<double>(state.fitted.goal[p]) - output;
      ++open;
    }
    if (open == 0) return;
    const auto shift = static_cast<float>(sum / static_cast<double>(open));
    RowPart moved = state.fitted;
    shift_outputs(moved, shift);
    moved.loss = loss(moved);
    if (!(moved.loss < state.fitted.loss)) return;
    state.fitted = std::move(moved);
    shift_outputs(state.held_out, shift);
    state.bias += shift;
  }

  static void shift_outputs(RowPart& part, float shift) {
    for (float& output : part.output) output += shift;
  }

  void store(std::int64_t row, RowState& state, RoundedLayer& rounded, std::vector<float>& bias,
             ClampedError& error, double& power) const {
    state.held_out.loss = loss(state.held_out);
    error.before += state.first_fitted + state.first_held_out;
    for (const RowPart* part : {&state.fitted, &state.held_out}) {
      for (const float goal : part->goal) power += static_cast<double>(goal) * goal;
    }
    const bool better =
        state.fitted.loss < state.first_fitted && state.held_out.loss < state.first_held_out;
    if (!better) {
      error.after += state.first_fitted + state.first_held_out;
      return;
    }
    error.after += state.fitted.loss + state.held_out.loss;
    ++error.rows_changed;
    std::copy(state.codes.begin(), state.codes.end(),
              rounded.codes.begin() + static_cast<std::ptrdiff_t>(row_index(row)) * columns_);
    bias[row_index(row)] = state.bias;
  }

  const quant::LayerSamples& samples_;
  Clamp clamp_;
  std::int64_t group_;
  std::int64_t rows_;
  std::int64_t columns_;
  bool moves_bias_;
  std::int64_t fitted_;
  const ClampKernels& kernels_;
  Granularity granularity_;
  std::int64_t block_;
  std::int64_t lowest_ = 0;
  std::int64_t highest_ = 0;
};

}  // namespace

ClampedError refine_clamped(const quant::LayerSamples& samples, Clamp clamp, const GridSpec& grid,
                            std::int64_t groups, std::int64_t rows, std::int64_t columns,
                            RoundedLayer& rounded, std::vector<float>& bias, bool moves_bias,
                            int threads) {
  ClampedError total;
  if (samples.count == 0) return total;
  const std::int64_t parts = (rows + kRowsOfTask - 1) / kRowsOfTask;
  std::vector<ClampedError> errors(static_cast<std::size_t>(groups * parts));
  std::vector<double> powers(errors.size());
  const auto run = [&](const GroupRefiner& refiner, std::int64_t group, std::int64_t part) {
    const auto at = static_cast<std::size_t>(group * parts + part);
    refiner.run(part * kRowsOfTask, std::min(rows, (part + 1) * kRowsOfTask), rounded, bias,
                errors[at], powers[at]);
  };
  if (groups == 1) {
    const GroupRefiner refiner(samples, clamp, grid, 0, rows, columns, moves_bias);
    parallel_for(parts, threads, [&](std::int64_t part) { run(refiner, 0, part); });
  } else {
    parallel_for(groups, threads, [&](std::int64_t group) {
      const GroupRefiner refiner(samples, clamp, grid, group, rows, columns, moves_bias);
      for (std::int64_t part = 0; part < parts; ++part) run(refiner, group, part);
    });
  }
  double power = 0.0;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    total.before += errors[i].before;
    total.after += errors[i].after;
    total.rows_changed += errors[i].rows_changed;
    power += powers[i];
  }
  const double unit = power > 0.0 ? 1.0 / power : 0.0;
  total.before *= unit;
  total.after *= unit;
  return total;
}

}  // namespace hexquant::weights
