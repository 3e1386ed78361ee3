#include "weights/scale_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "core/parallel.h"

namespace hexquant::weights {
namespace {

using Values = std::vector<double>;

/// Softness of the maxima: (sum z^p)^(1/p) with p = 2^doublings; kHard = the maximum itself.
constexpr int kSoft = 3;
constexpr int kHarder = 5;
constexpr int kHard = -1;

/// A (soft) maximum and its derivatives by log z_c, relative to the maximum.
struct Maximum {
  double value = 0.0;
  Values share;  // sums to 1
};

double power(double z, int doublings) {
  for (int i = 0; i < doublings; ++i) z *= z;
  return z;
}

/// Maximum of range[i] * factor[first + i].
void find_maximum(const Values& range, const Values& factor, std::size_t first, int softness,
                  Maximum& out) {
  out.share.assign(range.size(), 0.0);
  double largest = 0.0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < range.size(); ++i) {
    const double z = range[i] * factor[first + i];
    out.share[i] = z;
    if (z > largest) {
      largest = z;
      at = i;
    }
  }
  out.value = largest;
  if (largest == 0.0) return std::fill(out.share.begin(), out.share.end(), 0.0);
  if (softness == kHard) {
    std::fill(out.share.begin(), out.share.end(), 0.0);
    out.share[at] = 1.0;
    return;
  }
  double sum = 0.0;
  for (double& z : out.share) {
    z = power(z / largest, softness);
    sum += z;
  }
  for (double& z : out.share) z /= sum;
  out.value = largest * std::pow(sum, 1.0 / std::ldexp(1.0, softness));
}

double dot(const double* a, const double* b, std::size_t count) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  }
  double sum = 0.0;
  for (; i < count; ++i) sum += a[i] * b[i];
  for (const double lane : lanes) sum += lane;
  return sum;
}

/// The weight ranges of a consumer raised to a power, relative to the largest of their row: the
/// soft maxima of all rows are then one matrix times the powers of the scales.
class PoweredRows {
 public:
  PoweredRows(const ScaleProblem::Consumer& consumer, int softness) {
    for (const auto& row : consumer.rows) {
      const double largest = *std::max_element(row.range.begin(), row.range.end());
      largest_.push_back(largest);
      first_.push_back(ratios_.size());
      for (const double range : row.range) {
        const double ratio = largest > 0.0 ? power(range / largest, softness) : 0.0;
        ratios_.push_back(ratio < kSmallest ? 0.0 : ratio);
      }
    }
  }
  [[nodiscard]] double largest(std::size_t row) const { return largest_[row]; }
  [[nodiscard]] const double* ratios(std::size_t row) const { return ratios_.data() + first_[row]; }

 private:
  /// No scale within the limits lifts less than this to the maximum, and subnormals are slow.
  static constexpr double kSmallest = 1e-280;
  Values largest_;
  std::vector<std::size_t> first_;
  Values ratios_;
};

/// Noise and its gradient by u at one point.
class Evaluation {
 public:
  explicit Evaluation(const ScaleProblem& problem)
      : problem_(problem),
        scale_(problem.channels()),
        inverse_(problem.channels()),
        gradient_(problem.channels()),
        powered_scale_(problem.channels()),
        pull_(problem.channels()) {}

  double run(const Values& u, int softness) {
    softness_ = softness;
    for (std::size_t c = 0; c < u.size(); ++c) {
      scale_[c] = std::exp(u[c]);
      inverse_[c] = 1.0 / scale_[c];
    }
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    double noise = 0.0;
    for (const auto& producer : problem_.producers) noise += add_producer(producer);
    for (const auto& activation : problem_.activations) noise += add_activation(activation);
    if (softness == kHard) {
      for (const auto& consumer : problem_.consumers) noise += add_consumer_hard(consumer);
      return noise;
    }
    prepare_powers(softness);
    for (std::size_t i = 0; i < problem_.consumers.size(); ++i) {
      noise += add_consumer(problem_.consumers[i], powered_rows_[i]);
    }
    return noise;
  }
  [[nodiscard]] const Values& gradient() const noexcept { return gradient_; }

 private:
  double add_producer(const ScaleProblem::Producer& producer) {
    const double unit = 1.0 / (producer.levels * producer.levels);
    double noise = 0.0;
    if (producer.per_channel) {
      for (std::size_t c = 0; c < scale_.size(); ++c) {
        noise += unit * producer.energy[c] * producer.range[c] * producer.range[c];
      }
      return noise;
    }
    find_maximum(producer.range, inverse_, 0, softness_, first_);
    const double step2 = unit * first_.value * first_.value;
    for (std::size_t c = 0; c < scale_.size(); ++c) {
      const double own = step2 * producer.energy[c] * scale_[c] * scale_[c];
      noise += own;
      gradient_[c] += 2.0 * own;
    }
    for (std::size_t c = 0; c < scale_.size(); ++c) {
      gradient_[c] -= 2.0 * noise * first_.share[c];
    }
    return noise;
  }

  double add_activation(const ScaleProblem::Activation& activation) {
    find_maximum(activation.high, inverse_, 0, softness_, first_);
    find_maximum(activation.low, inverse_, 0, softness_, second_);
    const double range = first_.value + second_.value;
    if (range == 0.0) return 0.0;
    const double step = range / activation.levels;
    double noise = 0.0;
    for (std::size_t c = 0; c < scale_.size(); ++c) {
      const double own = step * step * activation.gain[c] * scale_[c] * scale_[c];
      noise += own;
      gradient_[c] += 2.0 * own;
    }
    for (std::size_t c = 0; c < scale_.size(); ++c) {
      const double share =
          (first_.value * first_.share[c] + second_.value * second_.share[c]) / range;
      gradient_[c] -= 2.0 * noise * share;
    }
    return noise;
  }

  /// The noise with true maxima, without its gradient.
  double add_consumer_hard(const ScaleProblem::Consumer& consumer) {
    double noise = 0.0;
    const double unit = 1.0 / (consumer.levels * consumer.levels);
    RowEnergy energy(consumer, inverse_);
    for (const auto& row : consumer.rows) {
      if (row.importance == 0.0) continue;
      double step = 0.0;
      for (std::size_t i = 0; i < row.range.size(); ++i) {
        step = std::max(step, row.range[i] * scale_[row.first + i]);
      }
      noise += row.importance * unit * step * step * energy.of(row);
    }
    return noise;
  }

  double add_consumer(const ScaleProblem::Consumer& consumer, const PoweredRows& powered) {
    double noise = 0.0;
    const double unit = 1.0 / (consumer.levels * consumer.levels);
    const double root = 2.0 / std::ldexp(1.0, softness_);
    std::fill(pull_.begin(), pull_.end(), 0.0);
    RowEnergy energy(consumer, inverse_);
    for (std::size_t r = 0; r < consumer.rows.size(); ++r) {
      const auto& row = consumer.rows[r];
      if (row.importance == 0.0) continue;
      const double* const ratios = powered.ratios(r);
      const std::size_t count = row.range.size();
      const double sum = dot(ratios, powered_scale_.data() + row.first, count);
      if (sum == 0.0) continue;
      const double largest = powered.largest(r);
      const double factor = row.importance * unit * largest * largest * std::pow(sum, root);
      const double own = factor * energy.of(row);
      energy.add(factor);
      double* const pull = pull_.data() + row.first;
      const double part = 2.0 * own / sum;
      for (std::size_t i = 0; i < count; ++i) pull[i] += part * ratios[i];
      noise += own;
    }
    for (std::size_t c = 0; c < pull_.size(); ++c) {
      gradient_[c] += pull_[c] * powered_scale_[c] -
                      2.0 * energy.factor(c) * consumer.energy[c] * inverse_[c] * inverse_[c];
    }
    return noise;
  }

  void prepare_powers(int softness) {
    if (powered_softness_ != softness) {
      powered_rows_.clear();
      for (const auto& consumer : problem_.consumers)
        powered_rows_.emplace_back(consumer, softness);
      powered_softness_ = softness;
    }
    for (std::size_t c = 0; c < scale_.size(); ++c) powered_scale_[c] = power(scale_[c], softness);
  }

  /// sum of energy_c / s_c^2 over the channels of a row: rows with the same channels follow each
  /// other; and the sum of their factors, by channel.
  class RowEnergy {
   public:
    RowEnergy(const ScaleProblem::Consumer& consumer, const Values& inverse)
        : consumer_(consumer), inverse_(inverse), factor_(inverse.size(), 0.0) {}
    double of(const ScaleProblem::Row& row) {
      if (row.first == first_ && row.range.size() == count_) return sum_;
      flush();
      first_ = row.first;
      count_ = row.range.size();
      sum_ = 0.0;
      for (std::size_t c = first_; c < first_ + count_; ++c) {
        sum_ += consumer_.energy[c] * inverse_[c] * inverse_[c];
      }
      return sum_;
    }
    /// @pre `of(row)` was the last call
    void add(double factor) { pending_ += factor; }
    double factor(std::size_t channel) {
      flush();
      return factor_[channel];
    }

   private:
    void flush() {
      if (pending_ == 0.0) return;
      for (std::size_t c = first_; c < first_ + count_; ++c) factor_[c] += pending_;
      pending_ = 0.0;
    }
    const ScaleProblem::Consumer& consumer_;
    const Values& inverse_;
    Values factor_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    double sum_ = 0.0;
    double pending_ = 0.0;
  };

  const ScaleProblem& problem_;
  int softness_ = kHard;
  Values scale_;
  Values inverse_;
  Values gradient_;
  Values powered_scale_;
  Values pull_;
  int powered_softness_ = kHard;
  std::vector<PoweredRows> powered_rows_;  // of each consumer
  Maximum first_;
  Maximum second_;
};

void clamp_to_limits(const ScaleProblem& problem, Values& u) {
  for (std::size_t c = 0; c < u.size(); ++c)
    u[c] = std::clamp(u[c], problem.low[c], problem.high[c]);
}

/// log(sqrt(r1 r2) / r2), the scales that make the weight ranges of both sides equal; 0 for
/// channels without weights on a side.
Values balanced_ranges(const ScaleProblem& problem) {
  const std::size_t channels = problem.channels();
  Values produced(channels, 0.0);
  Values consumed(channels, 0.0);
  for (const auto& producer : problem.producers) {
    for (std::size_t c = 0; c < channels; ++c) {
      produced[c] = std::max(produced[c], producer.range[c]);
    }
  }
  for (const auto& consumer : problem.consumers) {
    for (const auto& row : consumer.rows) {
      for (std::size_t i = 0; i < row.range.size(); ++i) {
        consumed[row.first + i] = std::max(consumed[row.first + i], row.range[i]);
      }
    }
  }
  Values u(channels, 0.0);
  for (std::size_t c = 0; c < channels; ++c) {
    if (produced[c] > 0.0 && consumed[c] > 0.0) u[c] = 0.5 * std::log(produced[c] / consumed[c]);
  }
  clamp_to_limits(problem, u);
  return u;
}

/// Adam on log(noise), projected onto the limits; the best point by the true maximum is kept.
class Descent {
 public:
  explicit Descent(const ScaleProblem& problem) : problem_(problem), evaluation_(problem) {}

  void run(Values u, ScaleSolution& best) {
    // Scales within 1 % change the noise by less than its model is worth.
    constexpr double kFirstStep = 0.4;
    constexpr double kLastStep = 0.005;
    constexpr int kSteps = 100;
    first_.assign(u.size(), 0.0);
    second_.assign(u.size(), 0.0);
    consider(u, best);
    for (int step = 0; step < kSteps; ++step) {
      const double noise = evaluation_.run(u, step < kSteps / 2 ? kSoft : kHarder);
      if (!(noise > 0.0) || !std::isfinite(noise)) return;
      const double share = static_cast<double>(step) / kSteps;
      move(u, noise, step + 1, kFirstStep * std::pow(kLastStep / kFirstStep, share));
      if (step % kCheckEvery == kCheckEvery - 1) consider(u, best);
    }
  }

 private:
  static constexpr int kCheckEvery = 20;

  void consider(const Values& u, ScaleSolution& best) {
    const double noise = evaluation_.run(u, kHard);
    if (!(noise < best.noise)) return;
    best.noise = noise;
    best.log_scale = u;
  }

  void move(Values& u, double noise, int step, double length) {
    constexpr double kMean = 0.9;
    constexpr double kSquare = 0.99;
    // The slopes of log(noise) add up to about 2: channels with slopes far below matter to nobody
    // and stay where they are.
    constexpr double kIdleSlope = 1e-5;
    const double mean_part = 1.0 - std::pow(kMean, step);
    const double square_part = 1.0 - std::pow(kSquare, step);
    for (std::size_t c = 0; c < u.size(); ++c) {
      const double slope = evaluation_.gradient()[c] / noise;
      first_[c] = kMean * first_[c] + (1.0 - kMean) * slope;
      second_[c] = kSquare * second_[c] + (1.0 - kSquare) * slope * slope;
      const double direction =
          first_[c] / mean_part / (std::sqrt(second_[c] / square_part) + kIdleSlope);
      u[c] = std::clamp(u[c] - length * direction, problem_.low[c], problem_.high[c]);
    }
  }

  const ScaleProblem& problem_;
  Evaluation evaluation_;
  Values first_;
  Values second_;
};

}  // namespace

double total_noise(const ScaleProblem& problem, const std::vector<double>& log_scale) {
  return Evaluation(problem).run(log_scale, kHard);
}

ScaleSolution search_scales(const ScaleProblem& problem, int threads) {
  ScaleSolution best;
  best.log_scale.assign(problem.channels(), 0.0);
  best.noise_before = total_noise(problem, best.log_scale);
  best.noise = best.noise_before;
  std::array<ScaleSolution, 2> found = {best, best};
  parallel_for(2, threads, [&](std::int64_t i) {
    const Values even(problem.channels(), 0.0);
    Descent(problem).run(i == 0 ? even : balanced_ranges(problem),
                         found.at(static_cast<std::size_t>(i)));
  });
  for (ScaleSolution& solution : found) {
    if (solution.noise < best.noise) best = std::move(solution);
  }
  return best;
}

}  // namespace hexquant::weights
