#include "data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "hexquant/error.h"

namespace hexquant::data {
namespace {

/// Source pixels and weights of each output position: entry i covers source pixels
/// first[i] .. first[i] + count[i] - 1, its weights start at i * stride.
struct Taps {
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> count;
  std::vector<double> weights;
  std::int64_t stride = 0;
};

double triangle(double x) {
  return std::max(0.0, 1.0 - std::fabs(x));
}

/// Cubic convolution. Source: Keys, IEEE Trans. ASSP 29 (1981), eq. 4 with parameter a.
double keys_cubic(double x, double a) {
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

/// Pillow's convolution weights for `count` output positions from `begin` of an axis that goes from
/// `in_size` to `out_size` pixels.
Taps antialiased_taps(std::int64_t in_size, std::int64_t out_size, std::int64_t begin,
                      std::int64_t count, Interpolation interpolation) {
  constexpr double kCubicA = -0.5;
  const bool cubic = interpolation == Interpolation::kBicubic;
  const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
  const double filter_scale = std::max(scale, 1.0);
  const double support = (cubic ? 2.0 : 1.0) * filter_scale;
  const double inverse_scale = 1.0 / filter_scale;
  Taps taps;
  taps.stride = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  taps.weights.resize(static_cast<std::size_t>(count * taps.stride));
  for (std::int64_t i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(begin + i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
    const auto last = std::min(in_size, static_cast<std::int64_t>(centre + support + 0.5));
    double* weights = taps.weights.data() + i * taps.stride;
    double sum = 0.0;
    for (std::int64_t k = 0; k < last - first; ++k) {
      const double x = (static_cast<double>(k + first) - centre + 0.5) * inverse_scale;
      weights[k] = cubic ? keys_cubic(x, kCubicA) : triangle(x);
      sum += weights[k];
    }
    for (std::int64_t k = 0; k < last - first && sum != 0.0; ++k) weights[k] /= sum;
    taps.first.push_back(first);
    taps.count.push_back(last - first);
  }
  return taps;
}

/// Weights of point sampling; what falls outside the image goes to its border pixel.
Taps point_taps(std::int64_t in_size, std::int64_t out_size, std::int64_t begin, std::int64_t count,
                Interpolation interpolation) {
  constexpr double kCubicA = -0.75;
  const bool cubic = interpolation == Interpolation::kBicubic;
  const std::int64_t reach = cubic ? 2 : 1;
  const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
  Taps taps;
  taps.stride = 2 * reach;
  taps.weights.resize(static_cast<std::size_t>(count * taps.stride));
  for (std::int64_t i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(begin + i) + 0.5) * scale - 0.5;
    const auto base = static_cast<std::int64_t>(std::floor(centre));
    const auto clamped = [&](std::int64_t p) {
      return std::clamp<std::int64_t>(p, 0, in_size - 1);
    };
    const std::int64_t first = clamped(base - reach + 1);
    double* weights = taps.weights.data() + i * taps.stride;
    for (std::int64_t p = base - reach + 1; p <= base + reach; ++p) {
      const double x = static_cast<double>(p) - centre;
      weights[clamped(p) - first] += cubic ? keys_cubic(x, kCubicA) : triangle(x);
    }
    taps.first.push_back(first);
    taps.count.push_back(clamped(base + reach) - first + 1);
  }
  return taps;
}

/// Arithmetic of the antialiased filters: fixed-point weights, 8-bit pixels between the passes.
struct FixedPoint {
  using Weight = std::int32_t;
  using Middle = std::uint8_t;
  static constexpr int kPrecisionBits = 32 - 8 - 2;
  static constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

  static Weight weight(double value) {
    return static_cast<Weight>(
        std::trunc(value * (1 << kPrecisionBits) + std::copysign(0.5, value)));
  }
  static std::uint8_t pixel(std::int32_t sum) {
    return static_cast<std::uint8_t>(std::clamp((sum + kHalf) >> kPrecisionBits, 0, 255));
  }
  static Middle middle(std::int32_t sum) { return pixel(sum); }
};

/// Arithmetic of point sampling: nothing is rounded or clipped before the end.
struct FloatingPoint {
  using Weight = float;
  using Middle = float;
  static Weight weight(double value) { return static_cast<float>(value); }
  static Middle middle(float sum) { return sum; }
  static std::uint8_t pixel(float sum) {
    return static_cast<std::uint8_t>(std::clamp(std::nearbyint(sum), 0.0F, 255.0F));
  }
};

template <typename Math>
std::vector<typename Math::Weight> weights_of(const Taps& taps) {
  std::vector<typename Math::Weight> weights(taps.weights.size());
  std::transform(taps.weights.begin(), taps.weights.end(), weights.begin(), Math::weight);
  return weights;
}

/// One row of the first pass: every output pixel is a weighted sum of neighbours in that row.
template <typename Math, int kChannels>
void filter_row(const std::uint8_t* source, const Taps& taps,
                const std::vector<typename Math::Weight>& weights, typename Math::Middle* target) {
  for (std::size_t x = 0; x < taps.first.size(); ++x) {
    const auto* weight = weights.data() + static_cast<std::int64_t>(x) * taps.stride;
    const std::uint8_t* pixel = source + taps.first[x] * kChannels;
    typename Math::Weight sum[kChannels] = {};
    for (std::int64_t k = 0; k < taps.count[x]; ++k, pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) sum[c] += weight[k] * pixel[c];
    }
    for (int c = 0; c < kChannels; ++c) *target++ = Math::middle(sum[c]);
  }
}

template <typename Math>
std::shared_ptr<std::uint8_t> filter(const Image& image, const Taps& columns, const Taps& rows) {
  using Weight = typename Math::Weight;
  using Middle = typename Math::Middle;
  const std::size_t row_size = columns.first.size() * static_cast<std::size_t>(image.channels);
  const std::int64_t first_row = rows.first.front();
  const std::int64_t end_row = rows.first.back() + rows.count.back();
  const auto column_weights = weights_of<Math>(columns);
  const auto row_weights = weights_of<Math>(rows);
  const auto pass = image.channels == 3 ? filter_row<Math, 3> : filter_row<Math, 1>;
  std::vector<Middle> middle(static_cast<std::size_t>(end_row - first_row) * row_size);
  for (std::int64_t y = first_row; y < end_row; ++y) {
    pass(image.pixels.get() + static_cast<std::size_t>(y) * image.row_bytes(), columns,
         column_weights, middle.data() + static_cast<std::size_t>(y - first_row) * row_size);
  }

  std::shared_ptr<std::uint8_t> pixels(new std::uint8_t[rows.first.size() * row_size],
                                       std::default_delete<std::uint8_t[]>());
  std::vector<Weight> sums(row_size);
  for (std::size_t y = 0; y < rows.first.size(); ++y) {
    std::fill(sums.begin(), sums.end(), Weight{0});
    const Middle* source =
        middle.data() + static_cast<std::size_t>(rows.first[y] - first_row) * row_size;
    const auto* weight = row_weights.data() + static_cast<std::int64_t>(y) * rows.stride;
    for (std::int64_t k = 0; k < rows.count[y]; ++k, source += row_size) {
      for (std::size_t i = 0; i < row_size; ++i) sums[i] += weight[k] * source[i];
    }
    std::transform(sums.begin(), sums.end(), pixels.get() + y * row_size, Math::pixel);
  }
  return pixels;
}

/// Source index of each output position; the position is summed up step by step, as Pillow does,
/// so that ties fall the same way.
std::vector<std::int64_t> nearest_indices(std::int64_t in_size, std::int64_t out_size,
                                          std::int64_t begin, std::int64_t count) {
  const double step = static_cast<double>(in_size) / static_cast<double>(out_size);
  double position = step * 0.5;
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < begin + count; ++i, position += step) {
    if (i < begin) continue;
    indices.push_back(std::min(static_cast<std::int64_t>(position), in_size - 1));
  }
  return indices;
}

std::shared_ptr<std::uint8_t> nearest(const Image& image, std::int64_t height, std::int64_t width,
                                      const Window& window) {
  const auto rows = nearest_indices(image.height, height, window.top, window.height);
  const auto columns = nearest_indices(image.width, width, window.left, window.width);
  const auto channels = static_cast<std::size_t>(image.channels);
  std::shared_ptr<std::uint8_t> pixels(new std::uint8_t[rows.size() * columns.size() * channels],
                                       std::default_delete<std::uint8_t[]>());
  std::uint8_t* target = pixels.get();
  for (const std::int64_t y : rows) {
    const std::uint8_t* source =
        image.pixels.get() + static_cast<std::size_t>(y) * image.row_bytes();
    for (const std::int64_t x : columns) {
      target = std::copy_n(source + static_cast<std::size_t>(x) * channels, channels, target);
    }
  }
  return pixels;
}

}  // namespace

Image resample(const Image& image, std::int64_t height, std::int64_t width, const Window& window,
               Interpolation interpolation, bool antialias) {
  HEXQUANT_CHECK(image.channels == 1 || image.channels == 3, "images have 1 or 3 channels");
  HEXQUANT_CHECK(window.top >= 0 && window.left >= 0 && window.height >= 1 && window.width >= 1 &&
                     window.top + window.height <= height && window.left + window.width <= width,
                 "the window must lie inside the resized image");
  Image out = image;
  out.height = window.height;
  out.width = window.width;
  if (interpolation == Interpolation::kNearest) {
    out.pixels = nearest(image, height, width, window);
    return out;
  }
  const auto make_taps = antialias ? antialiased_taps : point_taps;
  const Taps columns = make_taps(image.width, width, window.left, window.width, interpolation);
  const Taps rows = make_taps(image.height, height, window.top, window.height, interpolation);
  out.pixels = antialias ? filter<FixedPoint>(image, columns, rows)
                         : filter<FloatingPoint>(image, columns, rows);
  return out;
}

}  // namespace hexquant::data
