// False positives of GCC 12 inside its own header (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include "calibrate/scan_kernels.h"

namespace hexquant::calibrate {
namespace {

constexpr std::size_t kLanes = 16;
constexpr int kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;

__mmask16 lanes_below(std::size_t count) noexcept {
  return count >= kLanes ? static_cast<__mmask16>(0xFFFF)
                         : static_cast<__mmask16>((1U << count) - 1U);
}

/// The conversion is spelled out: from a mask it had to spill, GCC 12 (-O1 -fsanitize=thread)
/// stores 16 bits and counts the 32 that lie there.
std::uint32_t count_bits(__mmask16 mask) noexcept {
  return static_cast<std::uint32_t>(__builtin_popcount(_cvtmask16_u32(mask)));
}

RangeScan scan_range(const float* data, std::size_t count) noexcept {
  const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
  const __m512i infinity = _mm512_set1_epi32(0x7F800000);
  __m512 low = _mm512_castsi512_ps(infinity);
  __m512 high = _mm512_sub_ps(_mm512_setzero_ps(), low);
  RangeScan scan{0.0F, 0.0F, 0, 0};
  for (std::size_t i = 0; i < count; i += kLanes) {
    const __mmask16 lanes = lanes_below(count - i);
    const __m512 x = _mm512_maskz_loadu_ps(lanes, data + i);
    const __m512i bits = _mm512_and_si512(_mm512_castps_si512(x), magnitude);
    const __mmask16 finite = _mm512_mask_cmplt_epi32_mask(lanes, bits, infinity);
    low = _mm512_mask_min_ps(low, finite, x, low);
    high = _mm512_mask_max_ps(high, finite, x, high);
    scan.non_finite += count_bits(static_cast<__mmask16>(lanes & ~finite));
    scan.zeros += count_bits(_mm512_mask_cmpeq_epi32_mask(lanes, bits, _mm512_setzero_si512()));
  }
  scan.min = _mm512_reduce_min_ps(low);
  scan.max = _mm512_reduce_max_ps(high);
  return scan;
}

/// State of scan_bins between vectors.
struct BinState {
  __m512 low;
  __m512 high;
  std::uint16_t* next;
  std::uint32_t nonzero;
};

/// One vector of elements. The product is rounded down, so that a negative value too small for a
/// float stays below 0. min/max return their second operand on NaN.
inline void scan_vector(__m512 x, __mmask16 lanes, __m512 inverse_width, __m512i first,
                        __m512i bins, BinState& state) noexcept {
  state.low = _mm512_mask_min_ps(state.low, lanes, x, state.low);
  state.high = _mm512_mask_max_ps(state.high, lanes, x, state.high);
  const __m512 scaled = _mm512_mul_round_ps(x, inverse_width, kDown);
  const __m512i bin = _mm512_sub_epi32(_mm512_cvt_roundps_epi32(scaled, kDown), first);
  const __mmask16 nonzero = _mm512_mask_cmp_ps_mask(lanes, x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
  const __mmask16 keep = _mm512_mask_cmplt_epu32_mask(nonzero, bin, bins);
  // Compressed in a register: a compressing store is microcode on some processors.
  const __m256i packed = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(keep, bin));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(state.next), packed);
  state.next += count_bits(keep);
  state.nonzero += count_bits(nonzero);
}

BinScan scan_bins(const float* data, std::size_t count, BinWindow window,
                  std::uint16_t* indices) noexcept {
  const __m512 inverse_width = _mm512_set1_ps(window.inverse_width);
  const __m512i first = _mm512_set1_epi32(window.first);
  const __m512i bins = _mm512_set1_epi32(static_cast<int>(window.bins));
  const __m512 infinity = _mm512_castsi512_ps(_mm512_set1_epi32(0x7F800000));
  BinState state{infinity, _mm512_sub_ps(_mm512_setzero_ps(), infinity), indices, 0};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    scan_vector(_mm512_loadu_ps(data + i), 0xFFFF, inverse_width, first, bins, state);
  }
  if (i < count) {
    const __mmask16 lanes = lanes_below(count - i);
    scan_vector(_mm512_maskz_loadu_ps(lanes, data + i), lanes, inverse_width, first, bins, state);
  }
  const auto indexed = static_cast<std::uint32_t>(state.next - indices);
  return {_mm512_reduce_min_ps(state.low), _mm512_reduce_max_ps(state.high), indexed,
          static_cast<std::uint32_t>(count) - state.nonzero, state.nonzero - indexed};
}

}  // namespace

const ScanKernels& avx512_scan_kernels() noexcept {
  static constexpr ScanKernels kernels{"avx512", scan_range, scan_bins};
  return kernels;
}

}  // namespace hexquant::calibrate
