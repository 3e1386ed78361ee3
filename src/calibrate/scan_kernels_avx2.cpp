#include <immintrin.h>

#include "calibrate/scan_kernels.h"

namespace hexquant::calibrate {
namespace {

constexpr std::size_t kLanes = 8;

/// For each mask of 8 lanes, the byte shuffle that moves its 16-bit lanes to the front.
struct CompressTable {
  alignas(16) std::uint8_t bytes[256][16];
};

constexpr CompressTable make_compress_table() {
  CompressTable table{};
  for (unsigned mask = 0; mask < 256; ++mask) {
    unsigned next = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if ((mask >> lane & 1U) == 0) continue;
      table.bytes[mask][2 * next] = static_cast<std::uint8_t>(2 * lane);
      table.bytes[mask][2 * next + 1] = static_cast<std::uint8_t>(2 * lane + 1);
      ++next;
    }
  }
  return table;
}

constexpr CompressTable kCompress = make_compress_table();

std::uint32_t count_bits(unsigned mask) noexcept {
  return static_cast<std::uint32_t>(__builtin_popcount(mask));
}

float reduce(__m256 lanes, bool want_max) noexcept {
  alignas(32) float values[kLanes];
  _mm256_store_ps(values, lanes);
  float result = values[0];
  for (std::size_t i = 1; i < kLanes; ++i) {
    if (want_max ? values[i] > result : values[i] < result) result = values[i];
  }
  return result;
}

/// The last, partial vector of a chunk, filled up with copies of its first element.
struct Tail {
  alignas(32) float values[kLanes];
  unsigned lanes;
};

Tail make_tail(const float* data, std::size_t count) noexcept {
  Tail tail;
  tail.lanes = (1U << count) - 1U;
  for (std::size_t i = 0; i < kLanes; ++i) tail.values[i] = data[i < count ? i : 0];
  return tail;
}

void scan_range_vector(__m256 x, unsigned lanes, __m256& low, __m256& high,
                       RangeScan& scan) noexcept {
  const __m256 infinity = _mm256_castsi256_ps(_mm256_set1_epi32(0x7F800000));
  const __m256 magnitude = _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF)));
  const __m256 finite = _mm256_cmp_ps(magnitude, infinity, _CMP_LT_OQ);
  low = _mm256_min_ps(_mm256_blendv_ps(low, x, finite), low);
  high = _mm256_max_ps(_mm256_blendv_ps(high, x, finite), high);
  const __m256 zero = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_EQ_OQ);
  scan.non_finite += count_bits(lanes & ~static_cast<unsigned>(_mm256_movemask_ps(finite)));
  scan.zeros += count_bits(lanes & static_cast<unsigned>(_mm256_movemask_ps(zero)));
}

RangeScan scan_range(const float* data, std::size_t count) noexcept {
  __m256 low = _mm256_castsi256_ps(_mm256_set1_epi32(0x7F800000));
  __m256 high = _mm256_sub_ps(_mm256_setzero_ps(), low);
  RangeScan scan{0.0F, 0.0F, 0, 0};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    scan_range_vector(_mm256_loadu_ps(data + i), 0xFF, low, high, scan);
  }
  if (i < count) {
    const Tail tail = make_tail(data + i, count - i);
    scan_range_vector(_mm256_load_ps(tail.values), tail.lanes, low, high, scan);
  }
  scan.min = reduce(low, false);
  scan.max = reduce(high, true);
  return scan;
}

/// State of scan_bins between vectors.
struct BinState {
  __m256 low;
  __m256 high;
  std::uint16_t* next;
  std::uint32_t nonzero;
};

/// floor(x * inverse_width), also where the product of a negative x underflows to -0.
inline __m256i floor_bins(__m256 x, __m256 inverse_width) noexcept {
  const __m256 zero = _mm256_setzero_ps();
  const __m256 scaled = _mm256_mul_ps(x, inverse_width);
  const __m256 lost =
      _mm256_and_ps(_mm256_cmp_ps(x, zero, _CMP_LT_OQ), _mm256_cmp_ps(scaled, zero, _CMP_EQ_OQ));
  const __m256i floored = _mm256_cvttps_epi32(_mm256_floor_ps(scaled));
  return _mm256_add_epi32(floored, _mm256_castps_si256(lost));
}

/// One vector of elements. min/max return their second operand on NaN.
inline void scan_vector(__m256 x, unsigned lanes, __m256 inverse_width, __m256i first,
                        __m256i last_bin, BinState& state) noexcept {
  state.low = _mm256_min_ps(x, state.low);
  state.high = _mm256_max_ps(x, state.high);
  const __m256i bin = _mm256_sub_epi32(floor_bins(x, inverse_width), first);
  const __m256i inside = _mm256_cmpeq_epi32(_mm256_min_epu32(bin, last_bin), bin);
  const __m256 nonzero_lanes = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ);
  const unsigned nonzero = lanes & static_cast<unsigned>(_mm256_movemask_ps(nonzero_lanes));
  const unsigned keep =
      nonzero & static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(inside)));
  const __m128i packed =
      _mm_packus_epi32(_mm256_castsi256_si128(bin), _mm256_extracti128_si256(bin, 1));
  const __m128i shuffle = _mm_load_si128(reinterpret_cast<const __m128i*>(kCompress.bytes[keep]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state.next), _mm_shuffle_epi8(packed, shuffle));
  state.next += count_bits(keep);
  state.nonzero += count_bits(nonzero);
}

BinScan scan_bins(const float* data, std::size_t count, BinWindow window,
                  std::uint16_t* indices) noexcept {
  const __m256 inverse_width = _mm256_set1_ps(window.inverse_width);
  const __m256i first = _mm256_set1_epi32(window.first);
  const __m256i last_bin = _mm256_set1_epi32(static_cast<int>(window.bins) - 1);
  const __m256 infinity = _mm256_castsi256_ps(_mm256_set1_epi32(0x7F800000));
  BinState state{infinity, _mm256_sub_ps(_mm256_setzero_ps(), infinity), indices, 0};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    scan_vector(_mm256_loadu_ps(data + i), 0xFF, inverse_width, first, last_bin, state);
  }
  if (i < count) {
    const Tail tail = make_tail(data + i, count - i);
    scan_vector(_mm256_load_ps(tail.values), tail.lanes, inverse_width, first, last_bin, state);
  }
  const auto indexed = static_cast<std::uint32_t>(state.next - indices);
  return {reduce(state.low, false), reduce(state.high, true), indexed,
          static_cast<std::uint32_t>(count) - state.nonzero, state.nonzero - indexed};
}

}  // namespace

const ScanKernels& avx2_scan_kernels() noexcept {
  static constexpr ScanKernels kernels{"avx2", scan_range, scan_bins};
  return kernels;
}

}  // namespace hexquant::calibrate
