#pragma once

#include <cstddef>
#include <cstdint>

#include "core/cpu_features.h"

/// The inner loops of calibration, one variant for each instruction set. All variants give the same
/// results bit for bit. The header is plain data, so that files compiled for newer instruction sets
/// share no inline code with the rest of the program.
namespace hexquant::calibrate {

/// Elements scanned at a time: data, indices and the counters touched stay in a 32 KiB L1 cache.
inline constexpr std::size_t kScanChunk = 2048;
/// Room for the indices of a chunk; vector stores may run over the end of what they mean to keep.
inline constexpr std::size_t kIndexRoom = kScanChunk + 32;

struct RangeScan {
  float min;  ///< over finite elements; +inf when there are none
  float max;  ///< -inf when there are none
  std::uint32_t non_finite;
  std::uint32_t zeros;
};

/// Window of `bins` bins: bin i holds x with floor(x * inverse_width) == first + i.
struct BinWindow {
  float inverse_width;  ///< a power of two
  std::int32_t first;
  std::uint32_t bins;
};

/// `min` and `max` are meaningful when `outside` is 0: then all elements are finite.
struct BinScan {
  float min;
  float max;
  std::uint32_t indexed;  ///< elements whose bin was written to `indices`
  std::uint32_t zeros;    ///< elements equal to 0; never in `indices`, whatever the window
  std::uint32_t outside;  ///< the others: NaN, infinite or not in the window
};

struct ScanKernels {
  const char* name;
  RangeScan (*scan_range)(const float* data, std::size_t count) noexcept;
  /// @param count    at most kScanChunk
  /// @param indices  room for kIndexRoom; the order of what is written is that of the data
  BinScan (*scan_bins)(const float* data, std::size_t count, BinWindow window,
                       std::uint16_t* indices) noexcept;
};

[[nodiscard]] const ScanKernels& scalar_scan_kernels() noexcept;
[[nodiscard]] const ScanKernels& avx2_scan_kernels() noexcept;
[[nodiscard]] const ScanKernels& avx512_scan_kernels() noexcept;
/// The fastest variant that this machine runs.
[[nodiscard]] const ScanKernels& best_scan_kernels() noexcept;

}  // namespace hexquant::calibrate
