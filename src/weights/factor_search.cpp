#include "weights/factor_search.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace hexquant::weights {
namespace {

/// Bounds of factors beyond those of a plan.
constexpr float kSmallest = 0.05F;
constexpr float kLargest = 1.5F;

/// The state of a search.
class Search {
 public:
  using Trial = std::function<void(std::span<const float>, std::span<double>)>;
  using Keep = std::function<void(std::span<const std::uint8_t>)>;

  Search(std::span<float> bases, const Trial& trial, const Keep& keep)
      : trial_(trial),
        keep_(keep),
        bases_(bases.begin(), bases.end()),
        best_(bases),
        candidates_(bases.size()),
        errors_(bases.size()),
        best_errors_(bases.size(), std::numeric_limits<double>::infinity()),
        better_(bases.size()) {}

  /// One trial with the candidates `of(i)`.
  template <class Candidate>
  void attempt(const Candidate& of) {
    for (std::size_t i = 0; i < candidates_.size(); ++i) candidates_[i] = of(i);
    trial_(candidates_, errors_);
    bool any = false;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      better_[i] = errors_[i] < best_errors_[i] ? 1 : 0;
      if (better_[i] == 0) continue;
      best_errors_[i] = errors_[i];
      best_[i] = candidates_[i];
      any = true;
    }
    if (any) keep_(better_);
  }

  /// Factors beyond `edge`, `step` apart, for the scales whose best one lies there.
  void extend(float edge, float step) {
    std::vector<std::uint8_t> at_edge(bases_.size());
    for (std::size_t i = 0; i < bases_.size(); ++i) at_edge[i] = best_[i] == bases_[i] * edge;
    const auto wanted = [&] {
      return std::find(at_edge.begin(), at_edge.end(), 1) != at_edge.end();
    };
    for (float factor = edge + step; factor > kSmallest && factor < kLargest && wanted();
         factor += step) {
      attempt([&](std::size_t i) { return at_edge[i] != 0 ? bases_[i] * factor : best_[i]; });
      at_edge = better_;
    }
  }

  void run(const FactorPlan& plan) {
    for (const float factor : plan.coarse) {
      attempt([&](std::size_t i) { return bases_[i] * factor; });
    }
    if (plan.extend > 0.0F) {
      const auto [low, high] = std::minmax_element(plan.coarse.begin(), plan.coarse.end());
      extend(*low, -plan.extend);
      extend(*high, plan.extend);
    }
    std::vector<float> centers(bases_.size());
    for (const float step : plan.refine) {
      centers.assign(best_.begin(), best_.end());
      for (const float sign : {-1.0F, 1.0F}) {
        attempt([&](std::size_t i) { return centers[i] + sign * step * bases_[i]; });
      }
    }
  }

 private:
  const Trial& trial_;
  const Keep& keep_;
  std::vector<float> bases_;
  std::span<float> best_;
  std::vector<float> candidates_;
  std::vector<double> errors_;
  std::vector<double> best_errors_;
  std::vector<std::uint8_t> better_;
};

}  // namespace

void search_factors(const FactorPlan& plan, std::span<float> bases,
                    const std::function<void(std::span<const float>, std::span<double>)>& trial,
                    const std::function<void(std::span<const std::uint8_t>)>& keep) {
  Search(bases, trial, keep).run(plan);
}

}  // namespace hexquant::weights
