#include "weights/clip_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hexquant::weights {
namespace {

constexpr int kSteps = 64;
constexpr int kSmallest = 16;

/// Weighted squared error of nearest rounding. The rounding adds and subtracts 1.5 * 2^23, which
/// rounds half to even for the small codes here and lets the loop be vectorised.
double rounding_error(std::span<const float> values, std::span<const float> importance,
                      const Encoding& encoding) {
  constexpr float kRounder = 12582912.0F;
  const float inverse = 1.0F / encoding.scale[0];
  const float scale = encoding.scale[0];
  const auto low = static_cast<float>(encoding.q_min() - encoding.zero_point[0]);
  const auto high = static_cast<float>(encoding.q_max() - encoding.zero_point[0]);
  double error = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float steps = std::clamp(values[i] * inverse, low, high);
    const float code = (steps + kRounder) - kRounder;
    const float difference = values[i] - code * scale;
    const float factor = importance.empty() ? 1.0F : importance[i];
    error += static_cast<double>(factor * difference * difference);
  }
  return error;
}

}  // namespace

Range search_clip_range(std::span<const float> values, std::span<const float> importance,
                        DType type, bool symmetric, bool strict) {
  Range full;
  for (const float value : values) {
    full.min = std::min(full.min, value);
    full.max = std::max(full.max, value);
  }
  Range best = full;
  double best_error = std::numeric_limits<double>::infinity();
  for (int step = kSteps; step >= kSmallest; --step) {
    const float factor = static_cast<float>(step) / kSteps;
    const Range range{full.min * factor, full.max * factor};
    const Encoding encoding = encoding_from_range(range, type, symmetric, strict);
    const double error = rounding_error(values, importance, encoding);
    if (error < best_error) {
      best_error = error;
      best = range;
    }
  }
  return best;
}

}  // namespace hexquant::weights
