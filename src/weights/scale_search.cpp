#include "weights/scale_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

/// Noise and its gradient by u at one point.
class Evaluation {
 public:
  explicit Evaluation(const ScaleProblem& problem)
      : problem_(problem),
        scale_(problem.channels()),
        inverse_(problem.channels()),
        gradient_(problem.channels()) {}

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
    for (const auto& consumer : problem_.consumers) noise += add_consumer(consumer);
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

  double add_consumer(const ScaleProblem::Consumer& consumer) {
    double noise = 0.0;
    const double unit = 1.0 / (consumer.levels * consumer.levels);
    for (const auto& row : consumer.rows) {
      if (row.importance == 0.0) continue;
      find_maximum(row.range, scale_, row.first, softness_, first_);
      const double factor = row.importance * unit * first_.value * first_.value;
      double own = 0.0;
      for (std::size_t i = 0; i < row.range.size(); ++i) {
        const std::size_t c = row.first + i;
        const double part = factor * consumer.energy[c] * inverse_[c] * inverse_[c];
        own += part;
        gradient_[c] -= 2.0 * part;
      }
      for (std::size_t i = 0; i < row.range.size(); ++i) {
        gradient_[row.first + i] += 2.0 * own * first_.share[i];
      }
      noise += own;
    }
    return noise;
  }

  const ScaleProblem& problem_;
  int softness_ = kHard;
  Values scale_;
  Values inverse_;
  Values gradient_;
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
    constexpr double kFirstStep = 0.25;
    constexpr double kLastStep = 0.005;
    constexpr int kSteps = 240;
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

ScaleSolution search_scales(const ScaleProblem& problem) {
  ScaleSolution best;
  best.log_scale.assign(problem.channels(), 0.0);
  best.noise_before = total_noise(problem, best.log_scale);
  best.noise = best.noise_before;
  Descent descent(problem);
  descent.run(Values(problem.channels(), 0.0), best);
  descent.run(balanced_ranges(problem), best);
  return best;
}

}  // namespace hexquant::weights
