#include "calibrate/channel_accumulator.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "calibrate/moment_kernels.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::calibrate {
namespace {

using runtime::TapView;

/// Sizes around the channel axis: [outer, channels, inner].
struct Extents {
  std::size_t outer = 1;
  std::size_t channels = 1;
  std::size_t inner = 1;
};

struct SampleMoments {
  explicit SampleMoments(std::size_t channels) { resize(channels); }
  void resize(std::size_t channels) {
    sum.resize(channels);
    sum_of_squares.resize(channels);
    min.resize(channels, std::numeric_limits<float>::infinity());
    max.resize(channels, -std::numeric_limits<float>::infinity());
  }
  std::vector<double> sum;
  std::vector<double> sum_of_squares;
  std::vector<float> min;
  std::vector<float> max;
};

/// Widens the ranges of `width` channels by rows of as many elements.
void widen_by_rows(const float* data, std::size_t rows, std::size_t width, float* min, float* max) {
  for (std::size_t r = 0; r < rows; ++r, data += width) {
    for (std::size_t j = 0; j < width; ++j) {
      min[j] = data[j] < min[j] ? data[j] : min[j];
      max[j] = data[j] > max[j] ? data[j] : max[j];
    }
  }
}

/// Widens one channel's range by a run of elements, eight at a time.
void widen_by_run(const float* data, std::size_t count, float& min, float& max) {
  constexpr std::size_t kLanes = 8;
  float low[kLanes];
  float high[kLanes];
  std::fill_n(low, kLanes, min);
  std::fill_n(high, kLanes, max);
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) widen_by_rows(data + i, 1, kLanes, low, high);
  if (i < count) widen_by_rows(data + i, 1, count - i, low, high);
  min = *std::min_element(low, low + kLanes);
  max = *std::max_element(high, high + kLanes);
}

void add_row_major(const float* data, const Extents& extents, SampleMoments& moments) {
  const MomentKernels& kernels = best_moment_kernels();
  if (extents.inner == 1) {
    kernels.add_rows(data, extents.outer, extents.channels, moments.sum.data(),
                     moments.sum_of_squares.data());
    widen_by_rows(data, extents.outer, extents.channels, moments.min.data(), moments.max.data());
    return;
  }
  for (std::size_t o = 0; o < extents.outer; ++o) {
    for (std::size_t c = 0; c < extents.channels; ++c, data += extents.inner) {
      const RunMoments run = kernels.sum_run(data, extents.inner);
      moments.sum[c] += run.sum;
      moments.sum_of_squares[c] += run.sum_of_squares;
      widen_by_run(data, extents.inner, moments.min[c], moments.max[c]);
    }
  }
}

/// Blocked layout, channels along axis 1: the padding lanes are summed too and dropped.
void add_blocked(const float* data, const Extents& extents, std::size_t block,
                 SampleMoments& moments) {
  const MomentKernels& kernels = best_moment_kernels();
  const std::size_t padded = (extents.channels + block - 1) / block * block;
  moments.resize(padded);
  for (std::size_t o = 0; o < extents.outer; ++o) {
    for (std::size_t c = 0; c < padded; c += block, data += extents.inner * block) {
      kernels.add_rows(data, extents.inner, block, moments.sum.data() + c,
                       moments.sum_of_squares.data() + c);
      widen_by_rows(data, extents.inner, block, moments.min.data() + c, moments.max.data() + c);
    }
  }
  moments.resize(extents.channels);
}

}  // namespace

ChannelAccumulator::ChannelAccumulator(std::string value, int axis)
    : value_(std::move(value)), axis_(axis) {
  moments_.axis = axis;
}

std::size_t ChannelAccumulator::resolve_axis(const Shape& shape) const {
  const auto rank = static_cast<int>(shape.size());
  const int axis = axis_ < 0 ? axis_ + rank : axis_;
  if (axis < 0 || axis >= rank) {
    throw Error(ErrorCode::kInvalidData, format("value '{}' of shape {} has no channel axis {}",
                                                value_, shape_text(shape), axis_));
  }
  return static_cast<std::size_t>(axis);
}

void ChannelAccumulator::add(const TapView& view, std::int64_t sample) {
  const std::size_t axis = resolve_axis(view.shape);
  HEXQUANT_CHECK(view.channel_block == 1 || axis == 1, "blocked layout has its channels at axis 1");
  Extents extents;
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    std::size_t& extent = i < axis ? extents.outer : i == axis ? extents.channels : extents.inner;
    extent *= static_cast<std::size_t>(view.shape[i]);
  }
  SampleMoments own(extents.channels);
  if (view.channel_block == 1) {
    add_row_major(view.floats(), extents, own);
  } else {
    add_blocked(view.floats(), extents, static_cast<std::size_t>(view.channel_block), own);
  }
  order_.in_order(sample, [&] {
    if (sample == 0) {
      moments_.sum.resize(extents.channels);
      moments_.sum_of_squares.resize(extents.channels);
      moments_.min = own.min;
      moments_.max = own.max;
    }
    if (moments_.sum.size() != extents.channels) {
      throw Error(ErrorCode::kInvalidData,
                  format("value '{}' has {} channels, {} in the first sample", value_,
                         extents.channels, moments_.sum.size()));
    }
    for (std::size_t c = 0; c < extents.channels; ++c) {
      moments_.sum[c] += own.sum[c];
      moments_.sum_of_squares[c] += own.sum_of_squares[c];
      moments_.min[c] = std::min(moments_.min[c], own.min[c]);
      moments_.max[c] = std::max(moments_.max[c], own.max[c]);
    }
    moments_.count += static_cast<std::int64_t>(extents.outer * extents.inner);
  });
}

}  // namespace hexquant::calibrate
