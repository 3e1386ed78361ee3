#include "calibrate/channel_accumulator.h"

#include <algorithm>
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
  std::vector<double> sum;
  std::vector<double> sum_of_squares;
};

void add_row_major(const float* data, const Extents& extents, SampleMoments& moments) {
  const MomentKernels& kernels = best_moment_kernels();
  if (extents.inner == 1) {
    kernels.add_rows(data, extents.outer, extents.channels, moments.sum.data(),
                     moments.sum_of_squares.data());
    return;
  }
  for (std::size_t o = 0; o < extents.outer; ++o) {
    for (std::size_t c = 0; c < extents.channels; ++c, data += extents.inner) {
      const RunMoments run = kernels.sum_run(data, extents.inner);
      moments.sum[c] += run.sum;
      moments.sum_of_squares[c] += run.sum_of_squares;
    }
  }
}

/// Blocked layout, channels along axis 1: the padding lanes are summed too and dropped.
void add_blocked(const float* data, const Extents& extents, std::size_t block,
                 SampleMoments& moments) {
  const MomentKernels& kernels = best_moment_kernels();
  const std::size_t padded = (extents.channels + block - 1) / block * block;
  moments.sum.resize(padded);
  moments.sum_of_squares.resize(padded);
  for (std::size_t o = 0; o < extents.outer; ++o) {
    for (std::size_t c = 0; c < padded; c += block, data += extents.inner * block) {
      kernels.add_rows(data, extents.inner, block, moments.sum.data() + c,
                       moments.sum_of_squares.data() + c);
    }
  }
  moments.sum.resize(extents.channels);
  moments.sum_of_squares.resize(extents.channels);
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
  SampleMoments own{std::vector<double>(extents.channels), std::vector<double>(extents.channels)};
  if (view.channel_block == 1) {
    add_row_major(view.floats(), extents, own);
  } else {
    add_blocked(view.floats(), extents, static_cast<std::size_t>(view.channel_block), own);
  }
  order_.in_order(sample, [&] {
    if (sample == 0) {
      moments_.sum.resize(extents.channels);
      moments_.sum_of_squares.resize(extents.channels);
    }
    if (moments_.sum.size() != extents.channels) {
      throw Error(ErrorCode::kInvalidData,
                  format("value '{}' has {} channels, {} in the first sample", value_,
                         extents.channels, moments_.sum.size()));
    }
    for (std::size_t c = 0; c < extents.channels; ++c) {
      moments_.sum[c] += own.sum[c];
      moments_.sum_of_squares[c] += own.sum_of_squares[c];
    }
    moments_.count += static_cast<std::int64_t>(extents.outer * extents.inner);
  });
}

}  // namespace hexquant::calibrate
