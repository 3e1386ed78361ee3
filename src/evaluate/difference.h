#pragma once

#include <cstdint>
#include <span>

#include "hexquant/tensor.h"

namespace hexquant::evaluate {

/// How far tensors x are from reference tensors r, gathered element by element over any number of
/// tensors and samples (all measures are pooled over everything that was added).
///
/// An element pair that is not finite counts as equal when both are the same infinity or both are
/// NaN (attention masks), and as `non_finite` otherwise; the sums hold finite pairs only. With
/// non_finite > 0 the measures are NaN: such a result is broken, not noisy.
struct Difference {
  double reference_squared = 0.0;  ///< sum r^2
  double other_squared = 0.0;      ///< sum x^2
  double product = 0.0;            ///< sum r x
  double error_squared = 0.0;      ///< sum (r - x)^2
  double max_abs = 0.0;            ///< largest |r - x|
  std::int64_t count = 0;          ///< element pairs
  std::int64_t non_finite = 0;     ///< pairs with a NaN or an infinity that differ

  /// @pre equal sizes
  void add(std::span<const float> reference, std::span<const float> other);
  void add(std::span<const double> reference, std::span<const double> other);
  /// Tensors of any number type. @throws Error(kInvalidModel) when the shapes differ
  void add(const Tensor& reference, const Tensor& other);
  /// As if everything added to `later` had been added here after the own elements.
  void merge(const Difference& later);

  /// 10 log10(sum r^2 / sum (r - x)^2) in dB; +inf when all elements are equal, -inf when only r is
  /// all zero, NaN without elements.
  [[nodiscard]] double sqnr_db() const;
  /// sum r x / sqrt(sum r^2 sum x^2); 1 when both are all zero, 0 when one is.
  [[nodiscard]] double cosine() const;
  /// sum (r - x)^2 / count
  [[nodiscard]] double mse() const;
  /// True if every element is equal: then sqnr_db() is infinite.
  [[nodiscard]] bool is_exact() const noexcept {
    return count > 0 && non_finite == 0 && error_squared == 0.0;
  }
};

}  // namespace hexquant::evaluate
