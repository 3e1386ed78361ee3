#include <immintrin.h>

#include "weights/panel_kernels.h"
#include "weights/panel_kernels_body.h"

namespace hexquant::weights {
namespace {

struct Avx2Vector {
  static constexpr int kWidth = 8;
  using Register = __m256;

  static Register load(const float* from) noexcept { return _mm256_load_ps(from); }
  static void store(float* to, Register a) noexcept { _mm256_store_ps(to, a); }
  static Register all(float value) noexcept { return _mm256_set1_ps(value); }
  static Register add(Register a, Register b) noexcept { return _mm256_add_ps(a, b); }
  static Register sub(Register a, Register b) noexcept { return _mm256_sub_ps(a, b); }
  static Register mul(Register a, Register b) noexcept { return _mm256_mul_ps(a, b); }
  static Register div(Register a, Register b) noexcept { return _mm256_div_ps(a, b); }
  static Register fma(Register a, Register b, Register c) noexcept {
    return _mm256_fmadd_ps(a, b, c);
  }
  static Register fnma(Register a, Register b, Register c) noexcept {
    return _mm256_fnmadd_ps(a, b, c);
  }
  static Register round(Register a) noexcept {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Register min(Register a, Register b) noexcept { return _mm256_min_ps(a, b); }
  static Register max(Register a, Register b) noexcept { return _mm256_max_ps(a, b); }
  static Register positive(Register sign) noexcept {
    return _mm256_cmp_ps(sign, _mm256_setzero_ps(), _CMP_GT_OQ);
  }
  static Register keep_where_positive(Register sign, Register a) noexcept {
    return _mm256_and_ps(positive(sign), a);
  }
  static Register choose_where_positive(Register sign, Register a, Register b) noexcept {
    return _mm256_blendv_ps(b, a, positive(sign));
  }
  static bool any_nonzero(Register a) noexcept {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_NEQ_UQ)) != 0;
  }
};

}  // namespace

const PanelKernels& avx2_panel_kernels(std::int64_t lanes) noexcept {
  static constexpr PanelKernels wide = PanelLoops<Avx2Vector, kWideLanes, 6, 2>::kernels("avx2");
  static constexpr PanelKernels narrow =
      PanelLoops<Avx2Vector, kNarrowLanes, 6, 2>::kernels("avx2");
  return lanes == kWideLanes ? wide : narrow;
}

}  // namespace hexquant::weights
