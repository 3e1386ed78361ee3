#pragma once

#include "qat/fake_quantize_kernels.h"

// The loops as plain code whose inner loop over lanes the compiler turns into vectors; included by
// one file for each instruction set, so everything has internal linkage.
namespace hexquant::qat {
namespace {

/// Float sums are moved to double after this many elements a lane.
constexpr std::int64_t kFlush = 64;
/// Adding and subtracting it rounds half to even for |u| < 2^22.
constexpr float kRounder = 12582912.0F;

/// NaN stays NaN: training must see it.
inline float clamped(float u, CodeBounds bounds) noexcept {
  u = u < bounds.low ? bounds.low : u;
  return u > bounds.high ? bounds.high : u;
}

inline float quantized(float x, float scale, CodeBounds bounds) noexcept {
  return ((clamped(x / scale, bounds) + kRounder) - kRounder) * scale;
}

/// Gradient of x and the three terms of one element.
struct ElementTerms {
  float x_gradient;
  float inside;
  float below;
  float above;
};

inline ElementTerms terms_of(float x, float gradient, float scale, CodeBounds bounds) noexcept {
  const float u = x / scale;
  const float c = clamped(u, bounds);
  // Bounds are integers: beyond them the rest is 0.
  const float rest = ((c + kRounder) - kRounder) - c;
  return {c == u ? gradient : 0.0F, gradient * rest, u < bounds.low ? gradient : 0.0F,
          u > bounds.high ? gradient : 0.0F};
}

void forward(const float* x, float* y, std::int64_t count, float scale,
             CodeBounds bounds) noexcept {
  for (std::int64_t i = 0; i < count; ++i) y[i] = quantized(x[i], scale, bounds);
}

void backward(const float* x, const float* gradient, float* x_gradient, std::int64_t count,
              float scale, CodeBounds bounds, RangeSums* sums) noexcept {
  for (std::int64_t begin = 0; begin < count; begin += kFlush * kFakeQuantizeLanes) {
    const std::int64_t stop = begin + kFlush * kFakeQuantizeLanes;
    const std::int64_t end = stop < count ? stop : count;
    float inside[kFakeQuantizeLanes] = {};
    float below[kFakeQuantizeLanes] = {};
    float above[kFakeQuantizeLanes] = {};
    std::int64_t i = begin;
    for (; i + kFakeQuantizeLanes <= end; i += kFakeQuantizeLanes) {
      for (std::int64_t lane = 0; lane < kFakeQuantizeLanes; ++lane) {
        const ElementTerms terms = terms_of(x[i + lane], gradient[i + lane], scale, bounds);
        x_gradient[i + lane] = terms.x_gradient;
        inside[lane] += terms.inside;
        below[lane] += terms.below;
        above[lane] += terms.above;
      }
    }
    for (std::int64_t lane = 0; i < end; ++i, ++lane) {
      const ElementTerms terms = terms_of(x[i], gradient[i], scale, bounds);
      x_gradient[i] = terms.x_gradient;
      inside[lane] += terms.inside;
      below[lane] += terms.below;
      above[lane] += terms.above;
    }
    for (std::int64_t lane = 0; lane < kFakeQuantizeLanes; ++lane) {
      sums->inside += static_cast<double>(inside[lane]);
      sums->below += static_cast<double>(below[lane]);
      sums->above += static_cast<double>(above[lane]);
    }
  }
}

void forward_each(const float* x, float* y, std::int64_t count, const float* scales,
                  const CodeBounds* bounds) noexcept {
  for (std::int64_t i = 0; i < count; ++i) y[i] = quantized(x[i], scales[i], bounds[i]);
}

void backward_each(const float* x, const float* gradient, float* x_gradient, std::int64_t count,
                   const float* scales, const CodeBounds* bounds, RangeSums* sums) noexcept {
  for (std::int64_t i = 0; i < count; ++i) {
    const ElementTerms terms = terms_of(x[i], gradient[i], scales[i], bounds[i]);
    x_gradient[i] = terms.x_gradient;
    sums[i].inside += static_cast<double>(terms.inside);
    sums[i].below += static_cast<double>(terms.below);
    sums[i].above += static_cast<double>(terms.above);
  }
}

}  // namespace
}  // namespace hexquant::qat
