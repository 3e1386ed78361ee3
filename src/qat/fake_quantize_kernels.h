#pragma once

#include <cstdint>

/// Inner loops of fake_quantize, one variant for each instruction set; all give the same bits: 16
/// lanes are summed apart and no product is fused. Plain data only, so that files compiled for
/// newer instruction sets may include it.
namespace hexquant::qat {

inline constexpr std::int64_t kFakeQuantizeLanes = 16;

/// Codes relative to the zero point: low = q_min - zero_point, high = q_max - zero_point.
struct CodeBounds {
  float low;
  float high;
};

/// What the elements of one scale contribute to its gradient, u = x / scale:
/// inside: sum of g * (round(u) - u) over low <= u <= high; below, above: sums of g beyond.
struct RangeSums {
  double inside;
  double below;
  double above;
};

struct FakeQuantizeKernels {
  const char* name;
  /// y = round_half_even(clamp(x / scale, low, high)) * scale; NaN for NaN.
  void (*forward)(const float* x, float* y, std::int64_t count, float scale,
                  CodeBounds bounds) noexcept;
  /// The gradient of x (gradient where low <= u <= high, else 0); sums are added to.
  void (*backward)(const float* x, const float* gradient, float* x_gradient, std::int64_t count,
                   float scale, CodeBounds bounds, RangeSums* sums) noexcept;
  /// The same for `count` elements with a scale and bounds each.
  void (*forward_each)(const float* x, float* y, std::int64_t count, const float* scales,
                       const CodeBounds* bounds) noexcept;
  void (*backward_each)(const float* x, const float* gradient, float* x_gradient,
                        std::int64_t count, const float* scales, const CodeBounds* bounds,
                        RangeSums* sums) noexcept;
};

[[nodiscard]] const FakeQuantizeKernels& scalar_fake_quantize_kernels() noexcept;
[[nodiscard]] const FakeQuantizeKernels& avx2_fake_quantize_kernels() noexcept;
/// The fastest variant that this machine runs.
[[nodiscard]] const FakeQuantizeKernels& best_fake_quantize_kernels() noexcept;

}  // namespace hexquant::qat
