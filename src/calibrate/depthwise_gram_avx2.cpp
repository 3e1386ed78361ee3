#include <immintrin.h>

#include "calibrate/depthwise_gram.h"

namespace hexquant::calibrate {
namespace {

constexpr std::size_t kLanes = kGramLanes;
constexpr std::size_t kTile = 8;        // sums held in registers
constexpr std::size_t kMaxRows = 1024;  // rows packed at a time: 32 KiB

struct Packed {
  alignas(32) float rows[kMaxRows][kLanes];
};

/// The lanes from channel `first` on of `count` rows, side by side: rows lie far apart otherwise.
void pack(const float* columns, std::size_t count, std::size_t channels, std::size_t lanes,
          Packed& packed) noexcept {
  for (std::size_t row = 0; row < count; ++row, columns += channels) {
    if (lanes == kLanes) {
      _mm256_store_ps(packed.rows[row], _mm256_loadu_ps(columns));
    } else {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        packed.rows[row][lane] = lane < lanes ? columns[lane] : 0.0F;
      }
    }
  }
}

/// Sums of tap `a` with the kWidth taps from `b` on; `gram` is the block's own [kernel, kernel, 8].
template <std::size_t kWidth>
void add_tile(const Packed& packed, std::size_t positions, std::size_t kernel, std::size_t a,
              std::size_t b, float* gram) noexcept {
  float* const out = gram + (a * kernel + b) * kLanes;
  __m256 tile[kWidth];
  for (std::size_t i = 0; i < kWidth; ++i) tile[i] = _mm256_setzero_ps();
  for (std::size_t p = 0; p < positions; ++p) {
    const float(*const rows)[kLanes] = packed.rows + p * kernel;
    const __m256 left = _mm256_load_ps(rows[a]);
    for (std::size_t i = 0; i < kWidth; ++i) {
      tile[i] = _mm256_fmadd_ps(left, _mm256_load_ps(rows[b + i]), tile[i]);
    }
  }
  for (std::size_t i = 0; i < kWidth; ++i) {
    float* const sum = out + i * kLanes;
    _mm256_storeu_ps(sum, _mm256_add_ps(_mm256_loadu_ps(sum), tile[i]));
  }
}

void add_block(const Packed& packed, std::size_t positions, std::size_t kernel,
               float* gram) noexcept {
  for (std::size_t a = 0; a < kernel; ++a) {
    std::size_t b = a;
    for (; b + kTile <= kernel; b += kTile) {
      add_tile<kTile>(packed, positions, kernel, a, b, gram);
    }
    for (; b + 4 <= kernel; b += 4) add_tile<4>(packed, positions, kernel, a, b, gram);
    for (; b < kernel; ++b) add_tile<1>(packed, positions, kernel, a, b, gram);
  }
}

}  // namespace

void depthwise_gram_avx2(const float* columns, std::size_t positions, std::size_t kernel,
                         std::size_t channels, float* gram) noexcept {
  const std::size_t step = kMaxRows / kernel;
  if (step == 0) return depthwise_gram_scalar(columns, positions, kernel, channels, gram);
  Packed packed;
  for (std::size_t begin = 0; begin < positions; begin += step) {
    const std::size_t count = positions - begin < step ? positions - begin : step;
    const float* const part = columns + begin * kernel * channels;
    for (std::size_t c = 0; c < channels; c += kLanes) {
      const std::size_t lanes = channels - c < kLanes ? channels - c : kLanes;
      pack(part + c, count * kernel, channels, lanes, packed);
      add_block(packed, count, kernel, gram + c * kernel * kernel);
    }
  }
}

}  // namespace hexquant::calibrate
