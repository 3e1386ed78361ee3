#pragma once

#include <cstdint>

#include "weights/panel_kernels.h"

/// The loops of panel_kernels.h over a vector type V, for inclusion by the file of one instruction
/// set only: the unnamed namespace keeps the copies apart.
namespace hexquant::weights {
namespace {

/// @tparam V       vector type: kWidth, load, store, all, and the arithmetic used below
/// @tparam kLanes  lanes of a panel
/// @tparam kTile   result columns that add_product keeps in registers
/// @tparam kStrip  vectors of each of them
template <class V, int kLanes, int kTile, int kStrip>
struct PanelLoops {
  static constexpr int kVectors = kLanes / V::kWidth;
  using Register = typename V::Register;

  static Register step_of(const PanelGrid& grid, std::int64_t at, Register value) noexcept {
    const Register scale = V::load(grid.scale + at);
    const Register low = V::load(grid.low + at);
    const Register high = V::load(grid.high + at);
    return V::min(V::max(V::round(V::div(value, scale)), low), high);
  }

  template <int kColumns>
  static void add_tile(const PanelProduct& product, std::int64_t k, std::int64_t lane) noexcept {
    Register sums[kColumns][kStrip];
    float* result = product.result + k * kLanes + lane;
    for (int c = 0; c < kColumns; ++c) {
      for (int v = 0; v < kStrip; ++v) {
        sums[c][v] = V::load(result + c * kLanes + v * V::kWidth);
      }
    }
    const float* matrix = product.matrix + k;
    const float* panel = product.panel + lane;
    for (std::int64_t i = 0; i < product.count; ++i) {
      const std::int64_t j = product.columns[i];
      const float* row = matrix + j * product.stride;
      __builtin_prefetch(row + 64);
      Register values[kStrip];
      for (int v = 0; v < kStrip; ++v) values[v] = V::load(panel + j * kLanes + v * V::kWidth);
      for (int c = 0; c < kColumns; ++c) {
        const Register factor = V::all(row[c]);
        for (int v = 0; v < kStrip; ++v) sums[c][v] = V::fma(factor, values[v], sums[c][v]);
      }
    }
    for (int c = 0; c < kColumns; ++c) {
      for (int v = 0; v < kStrip; ++v) {
        V::store(result + c * kLanes + v * V::kWidth, sums[c][v]);
      }
    }
  }

  static void add_product(const PanelProduct& product) noexcept {
    std::int64_t k = product.first;
    for (; k + kTile <= product.last; k += kTile) {
      for (int lane = 0; lane < kLanes; lane += kStrip * V::kWidth) {
        add_tile<kTile>(product, k, lane);
      }
    }
    for (; k < product.last; ++k) {
      for (int lane = 0; lane < kLanes; lane += kStrip * V::kWidth) add_tile<1>(product, k, lane);
    }
  }

  static void round_gptq(const GptqBlock& block) noexcept {
    Register error[kVectors];
    for (int v = 0; v < kVectors; ++v) error[v] = V::all(0.0F);
    for (std::int64_t j = block.first; j < block.last; ++j) {
      const float* row = block.root + j * block.stride;
      const Register pivot = V::all(row[j]);
      const Register inverse = V::all(1.0F / row[j]);
      Register difference[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        const std::int64_t at = j * kLanes + v * V::kWidth;
        const std::int64_t grid_at =
            static_cast<std::int64_t>(block.grid.block[j]) * kLanes + v * V::kWidth;
        const Register target = V::load(block.target + at);
        const Register carried = V::load(block.carried + at);
        const Register step = step_of(block.grid, grid_at, V::fnma(carried, inverse, target));
        const Register value = V::mul(step, V::load(block.grid.scale + grid_at));
        difference[v] = V::sub(value, target);
        const Register y = V::fma(difference[v], pivot, carried);
        error[v] = V::fma(y, y, error[v]);
        V::store(block.steps + at, step);
        V::store(block.difference + at, difference[v]);
      }
      for (std::int64_t k = j + 1; k < block.last; ++k) {
        const Register factor = V::all(row[k]);
        float* carried = block.carried + k * kLanes;
        for (int v = 0; v < kVectors; ++v) {
          float* at = carried + v * V::kWidth;
          V::store(at, V::fma(difference[v], factor, V::load(at)));
        }
      }
    }
    for (int v = 0; v < kVectors; ++v) V::store(block.error + v * V::kWidth, error[v]);
  }

  /// The change of one column; true if any lane changed.
  static bool descend_column(const DescentBlock& block, std::int64_t j, Register* change,
                             Register* gain) noexcept {
    const float curvature = block.matrix[j * block.stride + j];
    const Register inverse = V::all(1.0F / curvature);
    const Register least = V::all(curvature * (1.0F + block.tolerance));
    const Register exact = V::all(curvature);
    bool any = false;
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t at = j * kLanes + v * V::kWidth;
      const std::int64_t grid_at =
          static_cast<std::int64_t>(block.grid.block[j]) * kLanes + v * V::kWidth;
      const Register scale = V::load(block.grid.scale + grid_at);
      const Register old_step = V::load(block.steps + at);
      const Register old_value = V::mul(old_step, scale);
      const Register gradient = V::load(block.gradient + at);
      const Register step = step_of(block.grid, grid_at, V::fma(gradient, inverse, old_value));
      const Register delta = V::sub(V::mul(step, scale), old_value);
      // The error falls by delta (2 gradient - delta curvature).
      const Register twice = V::add(gradient, gradient);
      const Register margin = V::mul(delta, V::fnma(delta, least, twice));
      const Register kept = V::keep_where_positive(margin, delta);
      change[v] = V::sub(V::all(0.0F), kept);
      gain[v] = V::fma(kept, V::fnma(kept, exact, twice), gain[v]);
      V::store(block.steps + at, V::choose_where_positive(margin, step, old_step));
      V::store(block.change + at, change[v]);
      any = V::any_nonzero(kept) || any;
    }
    return any;
  }

  static std::int64_t descend(const DescentBlock& block) noexcept {
    std::int64_t changed = 0;
    Register change[kVectors];
    Register gain[kVectors];
    for (int v = 0; v < kVectors; ++v) gain[v] = V::all(0.0F);
    for (std::int64_t j = block.first; j < block.last; ++j) {
      if (!descend_column(block, j, change, gain)) continue;
      block.changed[changed++] = static_cast<std::int32_t>(j);
      const float* row = block.matrix + j * block.stride;
      for (std::int64_t k = block.first; k < block.last; ++k) {
        const Register factor = V::all(row[k]);
        float* gradient = block.gradient + k * kLanes;
        for (int v = 0; v < kVectors; ++v) {
          float* at = gradient + v * V::kWidth;
          V::store(at, V::fma(change[v], factor, V::load(at)));
        }
      }
    }
    for (int v = 0; v < kVectors; ++v) V::store(block.gain + v * V::kWidth, gain[v]);
    return changed;
  }

  static void round_nearest(const float* target, const PanelGrid& grid, std::int64_t first,
                            std::int64_t last, float* steps, float* difference) noexcept {
    for (std::int64_t j = first; j < last; ++j) {
      for (int v = 0; v < kVectors; ++v) {
        const std::int64_t at = j * kLanes + v * V::kWidth;
        const std::int64_t grid_at =
            static_cast<std::int64_t>(grid.block[j]) * kLanes + v * V::kWidth;
        const Register value = V::load(target + at);
        const Register step = step_of(grid, grid_at, value);
        V::store(steps + at, step);
        V::store(difference + at, V::sub(V::mul(step, V::load(grid.scale + grid_at)), value));
      }
    }
  }

  static void dot(const float* a, const float* b, std::int64_t first, std::int64_t last,
                  float* sums) noexcept {
    Register total[kVectors];
    for (int v = 0; v < kVectors; ++v) total[v] = V::all(0.0F);
    for (std::int64_t j = first; j < last; ++j) {
      for (int v = 0; v < kVectors; ++v) {
        const std::int64_t at = j * kLanes + v * V::kWidth;
        total[v] = V::fma(V::load(a + at), V::load(b + at), total[v]);
      }
    }
    for (int v = 0; v < kVectors; ++v) V::store(sums + v * V::kWidth, total[v]);
  }

  static constexpr PanelKernels kernels(const char* name) noexcept {
    return {name, kLanes, add_product, round_gptq, descend, round_nearest, dot};
  }
};

}  // namespace
}  // namespace hexquant::weights
