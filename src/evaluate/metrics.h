#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// The numbers that this library reports, as pure functions. All arithmetic is done in double.
// docs/methods/metrics.md explains each of them.
namespace hexquant::evaluate {

/// Index of the largest element; the lowest index among equals.
/// @return nothing for an empty row or a row that holds a NaN
[[nodiscard]] std::optional<std::int64_t> argmax(std::span<const float> row);

/// True if `label` is among the k largest elements of the row: fewer than k elements are larger, or
/// equal and of lower index. A row that holds a NaN is never correct.
/// @param label  0 <= label < row.size();  @param k  >= 1
/// @throws Error(kInvalidData) when the label is outside the row
[[nodiscard]] bool in_top_k(std::span<const float> row, std::int64_t label, int k);

/// True if both rows have an argmax, and it is the same.
[[nodiscard]] bool same_argmax(std::span<const float> a, std::span<const float> b);

/// a.b / (|a| |b|); 1 when both are all zero, 0 when one is (Difference::cosine).
/// @pre a.size() == b.size()
[[nodiscard]] double cosine_similarity(std::span<const float> a, std::span<const float> b);

/// True if the row is a probability distribution as it stands (a model that ends in Softmax): no
/// element below 0, sum within 1e-2 of 1.
[[nodiscard]] bool is_distribution(std::span<const float> row);

/// Kullback-Leibler divergence KL(p || q) = sum p_i ln(p_i / q_i) in nats, terms with p_i = 0 being
/// 0, where p = softmax(reference), q = softmax(other). When the reference row is a distribution
/// already (is_distribution), p and q are the rows themselves, divided by their sums, and q_i is
/// taken as at least 1e-7, since an 8-bit output has zeros.
/// @pre reference.size() == other.size()
[[nodiscard]] double softmax_kl(std::span<const float> reference, std::span<const float> other);

/// -ln softmax(logits)[target], by log-sum-exp.
/// @throws Error(kInvalidData) when the target is outside the row
[[nodiscard]] double negative_log_likelihood(std::span<const float> logits, std::int64_t target);

/// Ranks 1..n; equal values all get the mean of the ranks they cover.
[[nodiscard]] std::vector<double> average_ranks(std::span<const double> values);

/// Spearman's rank correlation: Pearson's correlation of the average ranks.
/// @return NaN for fewer than two pairs, for constant values, or when a value is NaN
/// @pre a.size() == b.size()
[[nodiscard]] double spearman(std::span<const double> a, std::span<const double> b);

/// A closed interval of a difference of two fractions.
struct Interval {
  double low = 0.0;
  double high = 0.0;
};

/// 95 % interval of the difference of two success rates measured on the same samples.
///
/// With b = `gained` (only the second model is right), c = `lost` (only the first is right) and
/// n = `samples`, each of the four cells of the 2x2 table is raised by 1/2, so n* = n + 2,
///   d = (b - c) / n*,   s = sqrt((b + c + 1) - (b - c)^2 / n*) / n*,   d -+ 1.959964 s
/// clamped to [-1, 1]. It never has zero width, even without a single discordant sample.
/// Source: Agresti and Min, Statistics in Medicine 24 (2005) 729-740 ("Wald + 2").
[[nodiscard]] Interval paired_interval(std::int64_t gained, std::int64_t lost,
                                       std::int64_t samples);

}  // namespace hexquant::evaluate
