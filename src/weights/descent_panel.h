#pragma once

#include <cstdint>
#include <vector>

#include "weights/rounding_state.h"

namespace hexquant::weights {

/// Some rows of a layer during coordinate descent, with the gradient G = (T - V) H'.
class DescentPanel {
 public:
  void load(const RoundingContext& context, const Rounding& rounding, const PanelRows& rows);

  /// One sweep over all columns; true if any step changed.
  bool sweep();
  /// The gradient anew from target and values: floats lose it slowly.
  void refresh();
  /// Error of the rows under H', from the gradient.
  [[nodiscard]] double error();
  /// By how much the last sweep lowered the error.
  [[nodiscard]] double gain() const noexcept { return gain_; }
  void store(Rounding& rounding) const;

 private:
  void add_products(const float* panel, std::int64_t first, std::int64_t last, float* result);

  const RoundingContext* context_ = nullptr;
  PanelRows rows_;
  PanelScales scales_;
  AlignedFloats target_;
  AlignedFloats steps_;
  AlignedFloats gradient_;
  AlignedFloats change_;  ///< old value - new value, or target - value
  double gain_ = 0.0;
};

}  // namespace hexquant::weights
