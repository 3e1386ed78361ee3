#include "calibrate/value_accumulator.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hexquant::calibrate {
namespace {

using quant::bin_index;
using quant::Histogram;

constexpr auto kBins = static_cast<std::size_t>(Histogram::kMaxBins);

/// The hottest loop of calibration: four independent counters hide the store-to-load latency.
void count_indices(const std::uint16_t* indices, std::size_t count, CountScratch& scratch) {
  static_assert(CountScratch::kWays == 4);
  std::uint32_t* const a = scratch.counts[0].data();
  std::uint32_t* const b = scratch.counts[1].data();
  std::uint32_t* const c = scratch.counts[2].data();
  std::uint32_t* const d = scratch.counts[3].data();
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    ++a[indices[i]];
    ++b[indices[i + 1]];
    ++c[indices[i + 2]];
    ++d[indices[i + 3]];
  }
  for (; i < count; ++i) ++a[indices[i]];
}

}  // namespace

ValueAccumulator::ValueAccumulator(bool histogram, const ScanKernels& kernels)
    : kernels_(&kernels),
      histogram_(histogram),
      min_(std::numeric_limits<float>::infinity()),
      max_(-std::numeric_limits<float>::infinity()) {
  if (histogram_) counts_.resize(kBins);
}

void ValueAccumulator::add(const float* data, std::size_t count, CountScratch& scratch) {
  // 32-bit counters cannot overflow before the next flush.
  constexpr std::size_t kFlushElements = std::size_t{1} << 31;
  if (!histogram_) return add_range(data, count);
  std::size_t unflushed = 0;
  for (std::size_t begin = 0; begin < count; begin += kScanChunk) {
    const std::size_t size = std::min(kScanChunk, count - begin);
    add_chunk(data + begin, size, scratch);
    unflushed += size;
    if (unflushed < kFlushElements) continue;
    flush(scratch);
    unflushed = 0;
  }
  flush(scratch);
}

void ValueAccumulator::add_lanes(const float* data, std::size_t rows, std::size_t lanes,
                                 std::size_t stride, CountScratch& scratch) {
  const std::size_t rows_a_chunk = kScanChunk / lanes;
  for (std::size_t begin = 0; begin < rows; begin += rows_a_chunk) {
    float* next = scratch.gathered.data();
    const std::size_t end = std::min(rows, begin + rows_a_chunk);
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t lane = 0; lane < lanes; ++lane) *next++ = data[row * stride + lane];
    }
    const auto gathered = static_cast<std::size_t>(next - scratch.gathered.data());
    if (histogram_) {
      add_chunk(scratch.gathered.data(), gathered, scratch);
    } else {
      add_range(scratch.gathered.data(), gathered);
    }
  }
  if (histogram_) flush(scratch);
}

void ValueAccumulator::add_range(const float* data, std::size_t count) {
  const std::size_t kStep = std::size_t{1} << 30;  // the counters of a scan have 32 bits
  for (std::size_t begin = 0; begin < count; begin += kStep) {
    const std::size_t size = std::min(kStep, count - begin);
    const RangeScan scan = kernels_->scan_range(data + begin, size);
    min_ = std::min(min_, scan.min);
    max_ = std::max(max_, scan.max);
    count_ += size - scan.non_finite;
    zero_count_ += scan.zeros;
    non_finite_count_ += scan.non_finite;
  }
}

void ValueAccumulator::add_chunk(const float* data, std::size_t count, CountScratch& scratch) {
  const auto window = [&] {
    return BinWindow{std::ldexp(1.0F, -exponent_), static_cast<std::int32_t>(first_),
                     static_cast<std::uint32_t>(kBins)};
  };
  std::uint16_t* const indices = scratch.indices.data();
  BinScan scan = kernels_->scan_bins(data, count, window(), indices);
  if (!has_range() || scan.outside > 0 || (scan.zeros > 0 && !zero_in_window())) {
    const RangeScan range = kernels_->scan_range(data, count);
    non_finite_count_ += range.non_finite;
    count_ += count - range.non_finite;
    if (range.non_finite == count) return;
    if (range.min < min_ || range.max > max_) {
      flush(scratch);  // under the old window
      extend(range.min, range.max);
      scan = kernels_->scan_bins(data, count, window(), indices);
    }
  } else {
    min_ = std::min(min_, scan.min);
    max_ = std::max(max_, scan.max);
    count_ += count;
  }
  zero_count_ += scan.zeros;
  count_indices(indices, scan.indexed, scratch);
}

bool ValueAccumulator::zero_in_window() const noexcept {
  return first_ <= 0 && first_ + Histogram::kMaxBins > 0;
}

/// Widens the range and, where needed, the bins; counts move to their new places.
void ValueAccumulator::extend(float min, float max) {
  min_ = std::min(min_, min);
  max_ = std::max(max_, max);
  const int exponent = quant::histogram_exponent(min_, max_);
  const std::int64_t lowest = bin_index(min_, exponent);
  const std::int64_t used = bin_index(max_, exponent) - lowest + 1;
  const std::int64_t first = lowest - (Histogram::kMaxBins - used) / 2;
  std::vector<std::uint64_t> moved(kBins);
  const int shift = exponent - exponent_;
  for (std::size_t i = 0; i < kBins; ++i) {
    if (counts_[i] == 0) continue;
    const std::int64_t bin = (first_ + static_cast<std::int64_t>(i)) >> shift;
    moved[static_cast<std::size_t>(bin - first)] += counts_[i];
  }
  counts_.swap(moved);
  exponent_ = exponent;
  first_ = first;
}

void ValueAccumulator::flush(CountScratch& scratch) {
  auto& ways = scratch.counts;
  for (std::size_t i = 0; i < kBins; ++i) {
    counts_[i] += std::uint64_t{ways[0][i]} + ways[1][i] + ways[2][i] + ways[3][i];
  }
  for (auto& way : ways) way.fill(0);
}

void ValueAccumulator::merge(const ValueAccumulator& other) {
  count_ += other.count_;
  zero_count_ += other.zero_count_;
  non_finite_count_ += other.non_finite_count_;
  if (!other.has_range()) return;
  if (!histogram_) {
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
    return;
  }
  extend(other.min_, other.max_);
  const int shift = exponent_ - other.exponent_;
  for (std::size_t i = 0; i < kBins; ++i) {
    if (other.counts_[i] == 0) continue;
    const std::int64_t bin = (other.first_ + static_cast<std::int64_t>(i)) >> shift;
    counts_[static_cast<std::size_t>(bin - first_)] += other.counts_[i];
  }
}

quant::ValueStatistics ValueAccumulator::finish() const {
  quant::ValueStatistics statistics;
  statistics.count = count_;
  statistics.zero_count = zero_count_;
  statistics.non_finite_count = non_finite_count_;
  if (!has_range()) return statistics;
  statistics.min = min_ + 0.0F;  // -0 becomes 0: which of the two came first says nothing
  statistics.max = max_ + 0.0F;
  if (!histogram_) return statistics;
  Histogram& histogram = statistics.histogram;
  // The window may be wider than the range needs, but never finer or coarser.
  histogram.exponent = exponent_;
  histogram.first_bin = bin_index(min_, exponent_);
  const std::int64_t last = bin_index(max_, exponent_);
  const auto begin = counts_.begin() + (histogram.first_bin - first_);
  histogram.counts.assign(begin, begin + (last - histogram.first_bin + 1));
  if (zero_count_ > 0) {
    histogram.counts[static_cast<std::size_t>(-histogram.first_bin)] += zero_count_;
  }
  return statistics;
}

}  // namespace hexquant::calibrate
