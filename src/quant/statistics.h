#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hexquant::quant {

/// Histogram whose bins are aligned to multiples of a power of two.
///
/// Bin i counts values x with floor(x / 2^exponent) == first_bin + i. The exponent follows from the
/// observed range alone (histogram_exponent), first_bin is the bin of the minimum and the last bin
/// that of the maximum. So a histogram is a function of the multiset of its data: any partition,
/// merged in any order, gives the same one.
struct Histogram {
  static constexpr int kMaxBins = 2048;
  /// Values of a tensor whose whole range is smaller than 2^-109 share a few bins.
  static constexpr int kMinExponent = -120;
  int exponent = 0;
  std::int64_t first_bin = 0;
  std::vector<std::uint64_t> counts;
  [[nodiscard]] double bin_width() const noexcept;
  [[nodiscard]] double lower_edge() const noexcept;  ///< of bin 0
};

/// The smallest exponent, at least kMinExponent, for which the bins of min ... max number at most
/// kMaxBins and have indices within +-2^24 (float has no finer values there). It never decreases
/// when the range grows.
/// @pre finite, min <= max
[[nodiscard]] int histogram_exponent(float min, float max) noexcept;

/// floor(x / 2^exponent), exact.
[[nodiscard]] std::int64_t bin_index(float x, int exponent) noexcept;

/// Range, sum and sum of squares for each index along `axis`; `count` elements in each channel.
/// Ranges are exact and leave NaN out.
struct ChannelMoments {
  int axis = 1;
  std::vector<float> min;
  std::vector<float> max;
  std::vector<double> sum;
  std::vector<double> sum_of_squares;
  std::int64_t count = 0;
};

/// Everything known about one activation tensor over the calibration data.
struct ValueStatistics {
  float min = 0.0F;  ///< over all finite elements, exact
  float max = 0.0F;
  std::uint64_t count = 0;             ///< finite elements
  std::uint64_t zero_count = 0;        ///< of these, exactly zero: no quantizer harms them
  std::uint64_t non_finite_count = 0;  ///< NaN and infinities, left out of everything else
  Histogram histogram;                 ///< empty when only min and max were asked for
  std::optional<ChannelMoments> channels;
  /// Smallest of the row maxima along the last axis and that axis' length: what a Softmax over it
  /// needs to know. Set for row_maxima taps only.
  std::optional<float> smallest_row_max;
  std::int64_t row_length = 0;
};

/// Second moments of a layer's input columns x (im2col patches for convolutions), for each group:
/// gram = sum over sampled columns of x x^T, row-major [groups, columns, columns];
/// sum = sum of x, [groups, columns]. E[x x^T] = gram / count.
///
/// Columns are ordered as the layer's weights: (input channel of the group, kernel row, kernel
/// column) for Conv and ConvTranspose, the reduction axis for Gemm and MatMul.
struct LayerGram {
  std::int64_t groups = 1;
  std::int64_t columns = 0;
  std::int64_t count = 0;
  std::vector<float> gram;
  std::vector<double> sum;
};

/// Result of the one calibration pass.
struct Statistics {
  std::map<std::string, ValueStatistics> values;  ///< by value name
  std::map<std::string, LayerGram> grams;         ///< by node name
  std::int64_t samples = 0;
};

}  // namespace hexquant::quant
