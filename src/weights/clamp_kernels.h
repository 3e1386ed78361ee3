#pragma once

#include <cstdint>

/// Inner loops of refine_clamped, one variant for each instruction set; all give the same bits: 16
/// lanes are summed apart and no product is fused. Plain data only, as in panel_kernels.h.
namespace hexquant::weights {

inline constexpr std::int64_t kClampLanes = 16;

/// Positions of one row of a layer in front of a clamp.
struct ClampedRow {
  const float* output;  ///< V x^ + b
  const float* goal;    ///< clamp(t)
  std::int64_t count;   ///< a multiple of kClampLanes
  float low;
  float high;
};

struct ClampKernels {
  const char* name;
  /// losses[0 / 1] = sum_p (goal - clamp(output -+ step * input))^2.
  void (*step_losses)(const ClampedRow& row, const float* input, float step,
                      double* losses) noexcept;
  /// output += factor * input.
  void (*add_scaled)(float* output, const float* input, float factor, std::int64_t count) noexcept;
};

[[nodiscard]] const ClampKernels& scalar_clamp_kernels() noexcept;
[[nodiscard]] const ClampKernels& avx2_clamp_kernels() noexcept;
[[nodiscard]] const ClampKernels& avx512_clamp_kernels() noexcept;
/// The fastest variant that this machine runs.
[[nodiscard]] const ClampKernels& best_clamp_kernels() noexcept;

}  // namespace hexquant::weights
