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

/// Half of the lanes: the compilers keep sums of this type in registers, which they do not with
/// arrays.
using HalfLanes = float __attribute__((vector_size(kFakeQuantizeLanes / 2 * sizeof(float))));

struct LaneSums {
  HalfLanes inside[2] = {};
  HalfLanes below[2] = {};
  HalfLanes above[2] = {};
};

/// terms_of for all lanes at once.
inline void add_lanes(const float* x, const float* gradient, float* x_gradient,
                      const HalfLanes& scale, CodeBounds bounds, LaneSums& sums) noexcept {
  const HalfLanes zero = {};
  const HalfLanes low = zero + bounds.low;
  const HalfLanes high = zero + bounds.high;
  for (int half = 0; half < 2; ++half) {
    constexpr std::int64_t kHalf = kFakeQuantizeLanes / 2;
    HalfLanes values;
    HalfLanes slopes;
    __builtin_memcpy(&values, x + half * kHalf, sizeof(values));
    __builtin_memcpy(&slopes, gradient + half * kHalf, sizeof(slopes));
    const HalfLanes u = values / scale;
    HalfLanes c = u < low ? low : u;
    c = c > high ? high : c;
    const HalfLanes rest = ((c + kRounder) - kRounder) - c;
    const HalfLanes passed = c == u ? slopes : zero;
    __builtin_memcpy(x_gradient + half * kHalf, &passed, sizeof(passed));
    sums.inside[half] += slopes * rest;
    sums.below[half] += u < low ? slopes : zero;
    sums.above[half] += u > high ? slopes : zero;
  }
}

inline void flush(const LaneSums& lanes, RangeSums* sums) noexcept {
  for (std::int64_t lane = 0; lane < kFakeQuantizeLanes; ++lane) {
    const std::int64_t half = lane / (kFakeQuantizeLanes / 2);
    const std::int64_t place = lane % (kFakeQuantizeLanes / 2);
    sums->inside += static_cast<double>(lanes.inside[half][place]);
    sums->below += static_cast<double>(lanes.below[half][place]);
    sums->above += static_cast<double>(lanes.above[half][place]);
  }
}

void backward(const float* x, const float* gradient, float* x_gradient, std::int64_t count,
              float scale, CodeBounds bounds, RangeSums* sums) noexcept {
  const HalfLanes zero = {};
  const HalfLanes scales = zero + scale;
  const std::int64_t whole = count / kFakeQuantizeLanes * kFakeQuantizeLanes;
  for (std::int64_t begin = 0; begin < whole; begin += kFlush * kFakeQuantizeLanes) {
    const std::int64_t stop = begin + kFlush * kFakeQuantizeLanes;
    const std::int64_t end = stop < whole ? stop : whole;
    LaneSums lanes;
    for (std::int64_t i = begin; i < end; i += kFakeQuantizeLanes) {
      add_lanes(x + i, gradient + i, x_gradient + i, scales, bounds, lanes);
    }
    flush(lanes, sums);
  }
  for (std::int64_t i = whole; i < count; ++i) {
    const ElementTerms terms = terms_of(x[i], gradient[i], scale, bounds);
    x_gradient[i] = terms.x_gradient;
    sums->inside += static_cast<double>(terms.inside);
    sums->below += static_cast<double>(terms.below);
    sums->above += static_cast<double>(terms.above);
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
