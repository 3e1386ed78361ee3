#pragma once

#include "weights/clamp_kernels.h"

// The loops as plain code whose inner loop over lanes the compiler turns into vectors; included by
// one file for each instruction set, so everything has internal linkage.
namespace hexquant::weights {
namespace {

/// Float sums are moved to double after this many positions a lane.
constexpr std::int64_t kFlush = 64;

void step_losses(const ClampedRow& row, const float* input, float step, double* losses) noexcept {
  const float low = row.low;
  const float high = row.high;
  losses[0] = losses[1] = 0.0;
  for (std::int64_t begin = 0; begin < row.count; begin += kFlush * kClampLanes) {
    const std::int64_t stop = begin + kFlush * kClampLanes;
    const std::int64_t end = stop < row.count ? stop : row.count;
    float below[kClampLanes] = {};
    float above[kClampLanes] = {};
    for (std::int64_t p = begin; p < end; p += kClampLanes) {
      for (std::int64_t lane = 0; lane < kClampLanes; ++lane) {
        const float move = step * input[p + lane];
        const float output = row.output[p + lane];
        const float goal = row.goal[p + lane];
        float down = output - move;
        float up = output + move;
        down = down < low ? low : down;
        down = down > high ? high : down;
        up = up < low ? low : up;
        up = up > high ? high : up;
        below[lane] += (goal - down) * (goal - down);
        above[lane] += (goal - up) * (goal - up);
      }
    }
    for (std::int64_t lane = 0; lane < kClampLanes; ++lane) {
      losses[0] += static_cast<double>(below[lane]);
      losses[1] += static_cast<double>(above[lane]);
    }
  }
}

void add_scaled(float* output, const float* input, float factor, std::int64_t count) noexcept {
  for (std::int64_t p = 0; p < count; ++p) output[p] += factor * input[p];
}

}  // namespace
}  // namespace hexquant::weights
