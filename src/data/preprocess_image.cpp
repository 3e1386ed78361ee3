#include "data/preprocess_image.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "core/format.h"
#include "data/convert.h"
#include "data/resample.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

/// Part of an image without resampling.
Image cropped(const Image& image, const Window& window) {
  Image out = image;
  out.height = window.height;
  out.width = window.width;
  const std::size_t row_bytes = out.row_bytes();
  std::shared_ptr<std::uint8_t> pixels(
      new std::uint8_t[static_cast<std::size_t>(out.height) * row_bytes],
      std::default_delete<std::uint8_t[]>());
  const std::uint8_t* source = image.pixels.get() +
                               static_cast<std::size_t>(window.top) * image.row_bytes() +
                               static_cast<std::size_t>(window.left * image.channels);
  for (std::int64_t y = 0; y < out.height; ++y, source += image.row_bytes()) {
    std::memcpy(pixels.get() + static_cast<std::size_t>(y) * row_bytes, source, row_bytes);
  }
  out.pixels = std::move(pixels);
  return out;
}

/// Luma as Pillow's "L": 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point, rounded.
/// Source: Pillow, src/libImaging/Convert.c (L24); ITU-R BT.601-2.
Image to_gray(const Image& image) {
  constexpr unsigned kRed = 19595;
  constexpr unsigned kGreen = 38470;
  constexpr unsigned kBlue = 7471;
  constexpr unsigned kHalf = 0x8000;
  const unsigned first = image.bgr ? kBlue : kRed;
  const unsigned third = image.bgr ? kRed : kBlue;
  const auto count = static_cast<std::size_t>(image.height * image.width);
  std::shared_ptr<std::uint8_t> gray(new std::uint8_t[count],
                                     std::default_delete<std::uint8_t[]>());
  const std::uint8_t* pixel = image.pixels.get();
  for (std::size_t i = 0; i < count; ++i, pixel += 3) {
    gray.get()[i] = static_cast<std::uint8_t>(
        (pixel[0] * first + pixel[1] * kGreen + pixel[2] * third + kHalf) >> 16);
  }
  Image out = image;
  out.channels = 1;
  out.bgr = false;
  out.pixels = std::move(gray);
  return out;
}

using ValueTables = std::span<const std::array<float, 256>>;

/// Writes normalised pixels; `source_channel[c]` is where output channel c lies in a pixel.
template <typename T>
void write_values(const Image& image, ValueTables tables,
                  const std::vector<std::size_t>& source_channel, ImageLayout layout, T* target) {
  const auto count = static_cast<std::size_t>(image.height * image.width);
  const auto stride = static_cast<std::size_t>(image.channels);
  const bool planar = layout == ImageLayout::kNchw;
  const std::size_t step = planar ? 1 : tables.size();
  for (std::size_t c = 0; c < tables.size(); ++c) {
    const std::uint8_t* source = image.pixels.get() + source_channel[c];
    const float* values = tables[c].data();
    T* out = target + (planar ? c * count : c);
    for (std::size_t i = 0; i < count; ++i) {
      out[i * step] = static_cast<T>(values[source[i * stride]]);
    }
  }
}

}  // namespace

ImageSize resized_size(const Preprocess& preprocess, const Image& image,
                       const std::string& origin) {
  if (preprocess.resize) return *preprocess.resize;
  if (!preprocess.resize_shorter) return {image.height, image.width};
  const std::int64_t shorter = *preprocess.resize_shorter;
  const bool upright = image.width <= image.height;
  const std::int64_t longer =
      upright ? shorter * image.height / image.width : shorter * image.width / image.height;
  if (longer > kMaxImageSide) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: {}x{} resized to a shorter side of {} gives a longer side of {}: "
                       "expected at most {}",
                       origin, image.height, image.width, shorter, longer, kMaxImageSide));
  }
  return upright ? ImageSize{longer, shorter} : ImageSize{shorter, longer};
}

ImagePreprocessor::ImagePreprocessor(Preprocess preprocess, DType dtype, ImageLayout layout,
                                     const std::string& input)
    : preprocess_(std::move(preprocess)),
      dtype_(dtype),
      layout_(preprocess_.layout.value_or(layout)) {
  const bool raw = dtype == DType::kUInt8;
  if (!raw && dtype != DType::kFloat32 && dtype != DType::kFloat16 && dtype != DType::kFloat64) {
    throw Error(ErrorCode::kInvalidData,
                format("model input '{}' is {}: images can only feed float and uint8 inputs", input,
                       dtype_name(dtype)));
  }
  for (std::int64_t c = 0; c < preprocess_.channels(); ++c) {
    const auto entry = [&](const std::vector<float>& values) {
      return values.size() == 1 ? values[0] : values.at(static_cast<std::size_t>(c));
    };
    const float mean = entry(preprocess_.mean);
    const float std = entry(preprocess_.std);
    if (raw && (mean != 0.0F || std != 1.0F)) {
      throw Error(ErrorCode::kInvalidData,
                  format("model input '{}' is uint8, so preprocessing must have mean 0 and std 1, "
                         "got mean {} and std {}",
                         input, mean, std));
    }
    auto& table = values_.emplace_back();
    for (std::size_t v = 0; v < table.size(); ++v) {
      table[v] = (static_cast<float>(v) - mean) / std;
    }
  }
}

Image ImagePreprocessor::shaped(const Image& image, const std::string& origin) const {
  const auto [height, width] = resized_size(preprocess_, image, origin);
  const auto [crop_height, crop_width] = preprocess_.crop.value_or(ImageSize{height, width});
  if (crop_height > height || crop_width > width) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: crop [{},{}] does not fit into the {}x{} image (height x width, after "
                       "resize): set resize or a smaller crop",
                       origin, crop_height, crop_width, height, width));
  }
  const Window window{(height - crop_height) / 2, (width - crop_width) / 2, crop_height,
                      crop_width};
  if (height != image.height || width != image.width) {
    return resample(image, height, width, window, preprocess_.interpolation, preprocess_.antialias);
  }
  const bool whole = crop_height == height && crop_width == width;
  return whole ? image : cropped(image, window);
}

Tensor ImagePreprocessor::apply(const Image& image, const std::string& origin) const {
  Image pixels = shaped(image, origin);
  if (preprocess_.color == ColorOrder::kGray && pixels.channels == 3) pixels = to_gray(pixels);
  const std::int64_t channels = preprocess_.channels();
  const bool swapped =
      pixels.channels == 3 && pixels.bgr != (preprocess_.color == ColorOrder::kBgr);
  std::vector<std::size_t> source_channel(static_cast<std::size_t>(channels), 0);
  for (std::size_t c = 0; c < source_channel.size() && pixels.channels == 3; ++c) {
    source_channel[c] = swapped ? 2 - c : c;
  }
  const Shape shape = layout_ == ImageLayout::kNchw
                          ? Shape{1, channels, pixels.height, pixels.width}
                          : Shape{1, pixels.height, pixels.width, channels};
  if (dtype_ == DType::kUInt8) {
    Tensor out(dtype_, shape);
    write_values(pixels, values_, source_channel, layout_, out.mutable_data<std::uint8_t>().data());
    return out;
  }
  Tensor out(DType::kFloat32, shape);
  write_values(pixels, values_, source_channel, layout_, out.mutable_data<float>().data());
  return convert_exactly(out, dtype_, origin);
}

}  // namespace hexquant::data
