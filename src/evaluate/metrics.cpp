#include "evaluate/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/format.h"
#include "evaluate/difference.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kNormalQuantile975 = 1.959963984540054;
constexpr double kDistributionTolerance = 1e-2;  // 8-bit softmax outputs sum to 1 only roughly
constexpr double kMinProbability = 1e-7;

bool has_nan(std::span<const float> row) {
  return std::any_of(row.begin(), row.end(), [](float x) { return std::isnan(x); });
}

double log_sum_exp(std::span<const float> row) {
  const double largest = *std::max_element(row.begin(), row.end());
  if (!std::isfinite(largest)) return largest;
  double sum = 0.0;
  for (const float x : row) sum += std::exp(static_cast<double>(x) - largest);
  return largest + std::log(sum);
}

double sum_of(std::span<const float> row) {
  return std::accumulate(row.begin(), row.end(), 0.0);
}

double distribution_kl(std::span<const float> reference, std::span<const float> other) {
  const double reference_sum = sum_of(reference);
  const double other_sum = sum_of(other);
  double kl = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double p = reference[i] / reference_sum;
    if (p == 0.0) continue;
    const double q = other_sum > 0.0 ? other[i] / other_sum : 0.0;
    kl += p * std::log(p / std::max(q, kMinProbability));
  }
  return kl;
}

void check_index(std::int64_t index, std::size_t size, const char* what) {
  if (index >= 0 && index < static_cast<std::int64_t>(size)) return;
  throw Error(ErrorCode::kInvalidData, format("{} {} is outside the model's {} classes (0..{})",
                                              what, index, size, static_cast<long>(size) - 1));
}

}  // namespace

std::optional<std::int64_t> argmax(std::span<const float> row) {
  if (row.empty() || has_nan(row)) return std::nullopt;
  return std::max_element(row.begin(), row.end()) - row.begin();
}

bool in_top_k(std::span<const float> row, std::int64_t label, int k) {
  check_index(label, row.size(), "label");
  if (has_nan(row)) return false;
  const float own = row[static_cast<std::size_t>(label)];
  std::int64_t ahead = 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(row.size()); ++i) {
    const float x = row[static_cast<std::size_t>(i)];
    if (x > own || (x == own && i < label)) ++ahead;
  }
  return ahead < k;
}

bool same_argmax(std::span<const float> a, std::span<const float> b) {
  const auto first = argmax(a);
  return first.has_value() && first == argmax(b);
}

double cosine_similarity(std::span<const float> a, std::span<const float> b) {
  Difference difference;
  difference.add(a, b);
  return difference.cosine();
}

bool is_distribution(std::span<const float> row) {
  const bool negative = std::any_of(row.begin(), row.end(), [](float x) { return !(x >= 0.0F); });
  return !negative && std::abs(sum_of(row) - 1.0) <= kDistributionTolerance;
}

double softmax_kl(std::span<const float> reference, std::span<const float> other) {
  HEXQUANT_CHECK(reference.size() == other.size(), "rows of different length");
  if (reference.empty()) return 0.0;
  if (has_nan(reference) || has_nan(other)) return kNan;
  if (is_distribution(reference)) return distribution_kl(reference, other);
  const double reference_lse = log_sum_exp(reference);
  const double other_lse = log_sum_exp(other);
  double kl = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double log_p = reference[i] - reference_lse;
    const double p = std::exp(log_p);
    if (p > 0.0) kl += p * (log_p - (other[i] - other_lse));
  }
  return kl;
}

double negative_log_likelihood(std::span<const float> logits, std::int64_t target) {
  check_index(target, logits.size(), "token");
  if (has_nan(logits)) return kNan;
  return log_sum_exp(logits) - logits[static_cast<std::size_t>(target)];
}

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
    const double rank = static_cast<double>(first + last) / 2.0 + 1.0;
    for (std::size_t i = first; i <= last; ++i) ranks[order[i]] = rank;
    first = last + 1;
  }
  return ranks;
}

double spearman(std::span<const double> a, std::span<const double> b) {
  HEXQUANT_CHECK(a.size() == b.size(), "samples of different size");
  const auto is_nan = [](double x) { return std::isnan(x); };
  // NaN breaks the order that sorting needs, so it must not reach the ranks.
  if (std::any_of(a.begin(), a.end(), is_nan) || std::any_of(b.begin(), b.end(), is_nan)) {
    return kNan;
  }
  const std::vector<double> ranks_a = average_ranks(a);
  const std::vector<double> ranks_b = average_ranks(b);
  const double mean = (static_cast<double>(a.size()) + 1.0) / 2.0;
  double covariance = 0.0;
  double variance_a = 0.0;
  double variance_b = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    covariance += (ranks_a[i] - mean) * (ranks_b[i] - mean);
    variance_a += (ranks_a[i] - mean) * (ranks_a[i] - mean);
    variance_b += (ranks_b[i] - mean) * (ranks_b[i] - mean);
  }
  if (variance_a == 0.0 || variance_b == 0.0) return kNan;
  return covariance / std::sqrt(variance_a * variance_b);
}

Interval paired_interval(std::int64_t gained, std::int64_t lost, std::int64_t samples) {
  const double n = static_cast<double>(samples) + 2.0;
  const double difference = static_cast<double>(gained - lost);
  const double discordant = static_cast<double>(gained + lost) + 1.0;
  const double deviation = std::sqrt(discordant - difference * difference / n) / n;
  const double centre = difference / n;
  return {std::max(-1.0, centre - kNormalQuantile975 * deviation),
          std::min(1.0, centre + kNormalQuantile975 * deviation)};
}

}  // namespace hexquant::evaluate
