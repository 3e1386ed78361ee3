#include "weights/panel_kernels.h"

#include <cmath>

#include "weights/panel_kernels_body.h"

namespace hexquant::weights {
namespace {

/// Sixteen floats without any instruction set.
struct PortableVector {
  static constexpr int kWidth = 16;
  struct Register {
    float lane[kWidth];
  };

  template <class Operation>
  static Register each(Operation operation) noexcept {
    Register result;
    for (int i = 0; i < kWidth; ++i) result.lane[i] = operation(i);
    return result;
  }
  static Register load(const float* from) noexcept {
    return each([&](int i) { return from[i]; });
  }
  static void store(float* to, const Register& a) noexcept {
    for (int i = 0; i < kWidth; ++i) to[i] = a.lane[i];
  }
  static Register all(float value) noexcept {
    return each([&](int) { return value; });
  }
  static Register add(const Register& a, const Register& b) noexcept {
    return each([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static Register sub(const Register& a, const Register& b) noexcept {
    return each([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  static Register mul(const Register& a, const Register& b) noexcept {
    return each([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static Register div(const Register& a, const Register& b) noexcept {
    return each([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  /// a * b + c with one rounding, as the other variants do it.
  static Register fma(const Register& a, const Register& b, const Register& c) noexcept {
    return each([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
  }
  static Register fnma(const Register& a, const Register& b, const Register& c) noexcept {
    return each([&](int i) { return std::fma(-a.lane[i], b.lane[i], c.lane[i]); });
  }
  static Register round(const Register& a) noexcept {
    return each([&](int i) { return std::nearbyint(a.lane[i]); });
  }
  static Register min(const Register& a, const Register& b) noexcept {
    return each([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Register max(const Register& a, const Register& b) noexcept {
    return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Register keep_where_positive(const Register& sign, const Register& a) noexcept {
    return each([&](int i) { return sign.lane[i] > 0.0F ? a.lane[i] : 0.0F; });
  }
  static Register choose_where_positive(const Register& sign, const Register& a,
                                        const Register& b) noexcept {
    return each([&](int i) { return sign.lane[i] > 0.0F ? a.lane[i] : b.lane[i]; });
  }
  static bool any_nonzero(const Register& a) noexcept {
    bool any = false;
    for (int i = 0; i < kWidth; ++i) any = any || a.lane[i] != 0.0F;
    return any;
  }
};

}  // namespace

const PanelKernels& portable_panel_kernels(std::int64_t lanes) noexcept {
  static constexpr PanelKernels wide =
      PanelLoops<PortableVector, kWideLanes, 1, 1>::kernels("portable");
  static constexpr PanelKernels narrow =
      PanelLoops<PortableVector, kNarrowLanes, 1, 1>::kernels("portable");
  return lanes == kWideLanes ? wide : narrow;
}

bool cpu_runs_avx2_panels() noexcept {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

bool cpu_runs_avx512_panels() noexcept {
  return cpu_runs_avx2_panels() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0;
}

const PanelKernels& best_panel_kernels(std::int64_t lanes) noexcept {
  if (cpu_runs_avx512_panels()) return avx512_panel_kernels(lanes);
  if (cpu_runs_avx2_panels()) return avx2_panel_kernels(lanes);
  return portable_panel_kernels(lanes);
}

}  // namespace hexquant::weights
