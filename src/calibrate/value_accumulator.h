#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "calibrate/scan_kernels.h"
#include "quant/statistics.h"

namespace hexquant::calibrate {

/// Working memory of one thread for ValueAccumulator::add. Neighbouring elements go to different
/// counters, so that runs of equal values do not wait for each other's stores.
struct CountScratch {
  static constexpr std::size_t kWays = 4;
  alignas(64) std::array<std::array<std::uint32_t, quant::Histogram::kMaxBins>, kWays> counts{};
  alignas(64) std::array<std::uint16_t, kIndexRoom> indices{};
  alignas(64) std::array<float, kScanChunk> gathered{};
};

/// Range, counts and histogram of one value over any number of `add` calls.
///
/// The result depends on the multiset of added elements only: not on their order, not on how they
/// are split over accumulators that are merged later.
class ValueAccumulator {
 public:
  /// @param histogram  false: only min, max and counts
  /// @param kernels    variant of the inner loops; all give the same result
  explicit ValueAccumulator(bool histogram, const ScanKernels& kernels = best_scan_kernels());

  void add(const float* data, std::size_t count, CountScratch& scratch);
  /// Adds the first `lanes` of each row of `stride` elements.
  void add_lanes(const float* data, std::size_t rows, std::size_t lanes, std::size_t stride,
                 CountScratch& scratch);
  void merge(const ValueAccumulator& other);
  /// Statistics so far, `channels` left empty.
  [[nodiscard]] quant::ValueStatistics finish() const;

 private:
  void add_range(const float* data, std::size_t count);
  void add_chunk(const float* data, std::size_t count, CountScratch& scratch);
  void extend(float min, float max);
  void flush(CountScratch& scratch);
  [[nodiscard]] bool zero_in_window() const noexcept;
  [[nodiscard]] bool has_range() const noexcept { return min_ <= max_; }

  const ScanKernels* kernels_;
  bool histogram_;
  float min_;
  float max_;
  std::uint64_t count_ = 0;
  std::uint64_t zero_count_ = 0;  // not in counts_
  std::uint64_t non_finite_count_ = 0;
  int exponent_ = quant::Histogram::kMinExponent;
  std::int64_t first_ = 0;             // bin of counts_[0]
  std::vector<std::uint64_t> counts_;  // a window of kMaxBins bins around the observed range
};

}  // namespace hexquant::calibrate
