#pragma once

#include <cstdint>
#include <vector>

#include "weights/rounding_state.h"

namespace hexquant::weights {

/// What the best common factor of some values follows from: for V -> (1 + f) V the error falls by
/// 2 f along - f^2 curvature, so f = along / curvature gains along^2 / curvature.
struct ScaleMoments {
  double along = 0.0;      ///< (T - V) H' V^T
  double curvature = 0.0;  ///< V H' V^T

  [[nodiscard]] double gain() const noexcept {
    return curvature > 0.0 ? along * along / curvature : 0.0;
  }
};

/// The scale times its best factor, or the scale itself where that gains nothing or is not usable.
[[nodiscard]] float better_scale(float scale, const ScaleMoments& moments) noexcept;

/// Some rows of a layer during coordinate descent, with the gradient G = (T - V) H'.
class DescentPanel {
 public:
  /// @param with_rescale  whether scales will be changed: costs one more panel of memory
  void load(const RoundingContext& context, const Rounding& rounding, const PanelRows& rows,
            bool with_rescale);

  /// One sweep over all columns; the number of columns in which a step changed.
  std::int64_t sweep();
  /// By how much the last sweep lowered the error.
  [[nodiscard]] double gain() const noexcept { return gain_; }
  /// Error of the rows under H', from the gradient.
  [[nodiscard]] double error() const noexcept;
  /// The gradient anew from target and values: floats lose it slowly.
  void refresh();

  /// The best factor for each row's scales, where it gains; returns the gain.
  double rescale_rows();
  /// The best factor for each block's scale, one block after the other; returns the gain.
  double rescale_blocks();
  /// Moments of the common scale of all rows.
  [[nodiscard]] ScaleMoments moments();
  /// Another common scale for all rows.
  void set_common_scale(float scale);

  void store(Rounding& rounding) const;

 private:
  void add_products(const float* panel, std::int64_t first, std::int64_t last,
                    std::int64_t result_first, std::int64_t result_last, float* result);
  void load_values(std::int64_t first, std::int64_t last, float* values) const noexcept;
  void row_moments(ScaleMoments* moments);
  void scale_gradient(const float* ratios) noexcept;
  double rescale_block(std::int64_t block);

  const RoundingContext* context_ = nullptr;
  PanelRows rows_;
  PanelScales scales_;
  std::vector<float> row_scales_;  ///< LPBQ only, by lane
  AlignedFloats target_;
  AlignedFloats steps_;
  AlignedFloats gradient_;
  AlignedFloats change_;          ///< old value - new value, or scratch between sweeps
  AlignedFloats target_product_;  ///< T H', or for blocks scratch
  double gain_ = 0.0;
};

}  // namespace hexquant::weights
