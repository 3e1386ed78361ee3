// False positives of GCC 12 inside its own header (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include "weights/panel_kernels.h"
#include "weights/panel_kernels_body.h"

namespace hexquant::weights {
namespace {

struct Avx512Vector {
  static constexpr int kWidth = 16;
  using Register = __m512;

  static Register load(const float* from) noexcept { return _mm512_load_ps(from); }
  static void store(float* to, Register a) noexcept { _mm512_store_ps(to, a); }
  static Register all(float value) noexcept { return _mm512_set1_ps(value); }
  static Register add(Register a, Register b) noexcept { return _mm512_add_ps(a, b); }
  static Register sub(Register a, Register b) noexcept { return _mm512_sub_ps(a, b); }
  static Register mul(Register a, Register b) noexcept { return _mm512_mul_ps(a, b); }
  static Register div(Register a, Register b) noexcept { return _mm512_div_ps(a, b); }
  static Register fma(Register a, Register b, Register c) noexcept {
    return _mm512_fmadd_ps(a, b, c);
  }
  static Register fnma(Register a, Register b, Register c) noexcept {
    return _mm512_fnmadd_ps(a, b, c);
  }
  static Register round(Register a) noexcept {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Register min(Register a, Register b) noexcept { return _mm512_min_ps(a, b); }
  static Register max(Register a, Register b) noexcept { return _mm512_max_ps(a, b); }
  static __mmask16 positive(Register sign) noexcept {
    return _mm512_cmp_ps_mask(sign, _mm512_setzero_ps(), _CMP_GT_OQ);
  }
  static Register keep_where_positive(Register sign, Register a) noexcept {
    return _mm512_maskz_mov_ps(positive(sign), a);
  }
  static Register choose_where_positive(Register sign, Register a, Register b) noexcept {
    return _mm512_mask_blend_ps(positive(sign), b, a);
  }
  static bool any_nonzero(Register a) noexcept {
    return _cvtmask16_u32(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_NEQ_UQ)) != 0;
  }
};

}  // namespace

const PanelKernels& avx512_panel_kernels(std::int64_t lanes) noexcept {
  static constexpr PanelKernels wide =
      PanelLoops<Avx512Vector, kWideLanes, 6, 4>::kernels("avx512");
  static constexpr PanelKernels narrow =
      PanelLoops<Avx512Vector, kNarrowLanes, 12, 1>::kernels("avx512");
  return lanes == kWideLanes ? wide : narrow;
}

}  // namespace hexquant::weights
