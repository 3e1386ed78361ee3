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
  using Number = std::int32_t;
  using Middle = std::uint8_t;
  static constexpr int kPrecisionBits = 32 - 8 - 2;
  static constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

  static Number weight(double value) {
    return static_cast<Number>(
        std::trunc(value * (1 << kPrecisionBits) + std::copysign(0.5, value)));
  }
  static void store(Number sum, std::uint8_t& pixel) {
    pixel = static_cast<std::uint8_t>(std::clamp((sum + kHalf) >> kPrecisionBits, 0, 255));
  }
};

/// Arithmetic of point sampling: nothing is rounded or clipped before the end.
struct FloatingPoint {
  using Number = float;
  using Middle = float;
  static Number weight(double value) { return static_cast<float>(value); }
  static void store(Number sum, float& middle) { middle = sum; }
  static void store(Number sum, std::uint8_t& pixel) {
    pixel = static_cast<std::uint8_t>(std::clamp(std::nearbyint(sum), 0.0F, 255.0F));
  }
};

template <typename Math>
std::vector<typename Math::Number> weights_of(const Taps& taps) {
  std::vector<typename Math::Number> weights(taps.weights.size());
  std::transform(taps.weights.begin(), taps.weights.end(), weights.begin(), Math::weight);
  return weights;
}

/// Every output pixel is a weighted sum of neighbours in its row. The source has `rows` rows of
/// `row_size` numbers.
template <typename Math, typename Out, int kChannels, typename In>
std::vector<Out> filter_along_rows(const In* source, std::size_t row_size, std::size_t rows,
                                   const Taps& taps) {
  const auto weights = weights_of<Math>(taps);
  std::vector<Out> out(rows * taps.first.size() * kChannels);
  Out* target = out.data();
  for (std::size_t y = 0; y < rows; ++y, source += row_size) {
    for (std::size_t x = 0; x < taps.first.size(); ++x) {
      const auto* weight = weights.data() + static_cast<std::int64_t>(x) * taps.stride;
      const In* pixel = source + taps.first[x] * kChannels;
      typename Math::Number sum[kChannels] = {};
      for (std::int64_t k = 0; k < taps.count[x]; ++k, pixel += kChannels) {
        for (int c = 0; c < kChannels; ++c) sum[c] += weight[k] * pixel[c];
      }
      for (int c = 0; c < kChannels; ++c) Math::store(sum[c], *target++);
    }
  }
  return out;
}

template <typename Math, typename Out, typename In>
std::vector<Out> filter_along_rows(const In* source, std::int64_t channels, std::size_t row_size,
                                   std::size_t rows, const Taps& taps) {
  return channels == 3 ? filter_along_rows<Math, Out, 3>(source, row_size, rows, taps)
                       : filter_along_rows<Math, Out, 1>(source, row_size, rows, taps);
}

/// Every output row is a weighted sum of source rows; `source` begins at row `first_row`.
template <typename Math, typename Out, typename In>
std::vector<Out> filter_along_columns(const In* source, std::size_t row_size,
                                      std::int64_t first_row, const Taps& taps) {
  const auto weights = weights_of<Math>(taps);
  std::vector<Out> out(taps.first.size() * row_size);
  std::vector<typename Math::Number> sums(row_size);
  for (std::size_t y = 0; y < taps.first.size(); ++y) {
    std::fill(sums.begin(), sums.end(), typename Math::Number{0});
    const In* row = source + static_cast<std::size_t>(taps.first[y] - first_row) * row_size;
    const auto* weight = weights.data() + static_cast<std::int64_t>(y) * taps.stride;
    for (std::int64_t k = 0; k < taps.count[y]; ++k, row += row_size) {
      for (std::size_t i = 0; i < row_size; ++i) sums[i] += weight[k] * row[i];
    }
    for (std::size_t i = 0; i < row_size; ++i) Math::store(sums[i], out[y * row_size + i]);
  }
  return out;
}

template <typename Math>
std::vector<std::uint8_t> filter_rows_first(const Image& image, const Taps& columns,
                                            const Taps& rows) {
  const std::int64_t first_row = rows.first.front();
  const std::int64_t end_row = rows.first.back() + rows.count.back();
  const auto middle = filter_along_rows<Math, typename Math::Middle>(
      image.pixels.get() + static_cast<std::size_t>(first_row) * image.row_bytes(), image.channels,
      image.row_bytes(), static_cast<std::size_t>(end_row - first_row), columns);
  const std::size_t row_size = columns.first.size() * static_cast<std::size_t>(image.channels);
  return filter_along_columns<Math, std::uint8_t>(middle.data(), row_size, first_row, rows);
}

std::vector<std::uint8_t> filter_columns_first(const Image& image, const Taps& columns,
                                               const Taps& rows) {
  const auto middle = filter_along_columns<FixedPoint, std::uint8_t>(image.pixels.get(),
                                                                     image.row_bytes(), 0, rows);
  return filter_along_rows<FixedPoint, std::uint8_t>(middle.data(), image.channels,
                                                     image.row_bytes(), rows.first.size(), columns);
}

/// True if Pillow (13.0 and later) filters along columns first: when the height shrinks by more
/// than twice what the width shrinks. The order shows where a bicubic overshoot is clipped in
/// between.
bool columns_first(const Image& image, std::int64_t height, std::int64_t width) {
  return height < image.height && 2 * (image.width - width) < image.height - height;
}

std::shared_ptr<const std::uint8_t> as_pixels(std::vector<std::uint8_t> values) {
  const auto holder = std::make_shared<const std::vector<std::uint8_t>>(std::move(values));
  return {holder, holder->data()};
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

std::vector<std::uint8_t> nearest(const Image& image, std::int64_t height, std::int64_t width,
                                  const Window& window) {
  const auto rows = nearest_indices(image.height, height, window.top, window.height);
  const auto columns = nearest_indices(image.width, width, window.left, window.width);
  const auto channels = static_cast<std::size_t>(image.channels);
  std::vector<std::uint8_t> pixels(rows.size() * columns.size() * channels);
  std::uint8_t* target = pixels.data();
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
    out.pixels = as_pixels(nearest(image, height, width, window));
    return out;
  }
  const auto make_taps = antialias ? antialiased_taps : point_taps;
  const Taps columns = make_taps(image.width, width, window.left, window.width, interpolation);
  const Taps rows = make_taps(image.height, height, window.top, window.height, interpolation);
  if (!antialias) {
    out.pixels = as_pixels(filter_rows_first<FloatingPoint>(image, columns, rows));
  } else if (columns_first(image, height, width)) {
    out.pixels = as_pixels(filter_columns_first(image, columns, rows));
  } else {
    out.pixels = as_pixels(filter_rows_first<FixedPoint>(image, columns, rows));
  }
  return out;
}

}  // namespace hexquant::data
