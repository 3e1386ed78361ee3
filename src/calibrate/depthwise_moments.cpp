#include "calibrate/depthwise_moments.h"

#include <algorithm>
#include <utility>

#include "calibrate/depthwise_gram.h"
#include "core/parallel.h"
#include "hexquant/error.h"

namespace hexquant::calibrate {
namespace {

/// Parts of a chunk that are summed apart and then added in order.
constexpr std::int64_t kSlices = 4;

std::size_t unsigned_size(std::int64_t value) {
  return static_cast<std::size_t>(value);
}

/// What one slice of positions adds.
struct Slice {
  std::vector<float> gram;
  std::vector<float> cross;
};

/// Subtracts the mean of the first chunk; adds what is left of each column to `sum`.
void centre(std::vector<float>& values, std::int64_t count, std::vector<float>& shift,
            std::vector<double>& sum) {
  const std::size_t width = values.size() / unsigned_size(count);
  const bool first = shift.empty();
  std::vector<double> total(width);
  for (std::size_t i = 0; i < values.size(); i += width) {
    for (std::size_t c = 0; c < width; ++c) total[c] += values[i + c];
  }
  if (first) {
    sum.assign(width, 0.0);
    for (const double column : total) {
      shift.push_back(static_cast<float>(column / static_cast<double>(count)));
    }
  }
  for (std::size_t c = 0; c < width; ++c) {
    sum[c] += total[c] - static_cast<double>(shift[c]) * static_cast<double>(count);
  }
  for (std::size_t i = 0; i < values.size(); i += width) {
    for (std::size_t c = 0; c < width; ++c) values[i + c] -= shift[c];
  }
}

void add_to(std::vector<float>& sums, const std::vector<float>& part) {
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += part[i];
}

}  // namespace

DepthwiseMoments::DepthwiseMoments(std::int64_t channels, std::int64_t taps, int threads)
    : channels_(channels), taps_(taps), threads_(threads) {
  const auto lanes = static_cast<std::int64_t>(kGramLanes);
  gram_.resize(unsigned_size((channels + lanes - 1) / lanes * lanes * taps * taps));
  cross_.resize(unsigned_size(taps * channels));
}

void DepthwiseMoments::add(std::vector<float>& inputs, std::vector<float>& targets,
                           std::int64_t count) {
  if (count == 0) return;
  parallel_for(2, threads_, [&](std::int64_t side) {
    if (side == 0) {
      centre(inputs, count, input_shift_, input_sum_);
    } else {
      centre(targets, count, target_shift_, target_sum_);
    }
  });
  std::vector<Slice> slices(kSlices);
  const DepthwiseGram add_gram = best_depthwise_gram();
  parallel_for(kSlices, threads_, [&](std::int64_t s) {
    Slice& slice = slices[unsigned_size(s)];
    slice.gram.resize(gram_.size());
    slice.cross.resize(cross_.size());
    const std::int64_t begin = count * s / kSlices;
    const std::int64_t end = count * (s + 1) / kSlices;
    add_gram(inputs.data() + begin * taps_ * channels_, unsigned_size(end - begin),
             unsigned_size(taps_), unsigned_size(channels_), slice.gram.data());
    for (std::int64_t p = begin; p < end; ++p) {
      const float* const target = targets.data() + p * channels_;
      const float* const input = inputs.data() + p * taps_ * channels_;
      for (std::int64_t tap = 0; tap < taps_; ++tap) {
        float* const sums = slice.cross.data() + tap * channels_;
        for (std::int64_t c = 0; c < channels_; ++c)
          sums[c] += target[c] * input[tap * channels_ + c];
      }
    }
  });
  for (const Slice& slice : slices) {
    add_to(gram_, slice.gram);
    add_to(cross_, slice.cross);
  }
  count_ += count;
}

quant::LayerMoments DepthwiseMoments::finish() {
  HEXQUANT_CHECK(count_ > 0, "no positions for the moments of a layer");
  const auto count = static_cast<double>(count_);
  const auto lanes = static_cast<std::int64_t>(kGramLanes);
  const std::int64_t n = taps_;
  quant::LayerMoments moments;
  moments.groups = channels_;
  moments.rows = 1;
  moments.columns = n;
  moments.count = count_;
  moments.gram.resize(unsigned_size(channels_ * n * n));
  for (std::int64_t c = 0; c < channels_; ++c) {
    const auto mean = [&](std::int64_t tap) {
      return input_sum_[unsigned_size(tap * channels_ + c)] / count;
    };
    const double target = target_sum_[unsigned_size(c)] / count;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        const auto [a, b] = std::minmax(i, j);  // only the upper triangle was summed
        const double sum = gram_[unsigned_size(((c / lanes * n + a) * n + b) * lanes + c % lanes)];
        moments.gram[unsigned_size((c * n + i) * n + j)] =
            static_cast<float>(sum / count - mean(i) * mean(j));
      }
      const double sum = cross_[unsigned_size(i * channels_ + c)];
      moments.cross.push_back(static_cast<float>(sum / count - target * mean(i)));
      moments.mean.push_back(mean(i) + input_shift_[unsigned_size(i * channels_ + c)]);
    }
    moments.target_mean.push_back(target + target_shift_[unsigned_size(c)]);
  }
  return moments;
}

}  // namespace hexquant::calibrate
