#include "data/augment.h"

#include <charconv>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

/// Position of a mirrored coordinate: -1 -> 1, -2 -> 2, size -> size - 2.
std::int64_t mirrored(std::int64_t position, std::int64_t size) {
  if (position < 0) return -position;
  return position < size ? position : 2 * (size - 1) - position;
}

std::int64_t crop_size(const std::string& name, const std::string& number) {
  std::int64_t size = 0;
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, size);
  if (error != std::errc() || stop != end || size < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                format("augmentation '{}': expected crop:N with N of 1 or more pixels", name));
  }
  return size;
}

/// Rows and columns that each output pixel is read from.
struct Sources {
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> columns;
};

Sources sources_of(std::int64_t height, std::int64_t width, const Augmentation& augmentation,
                   std::uint64_t random) {
  const bool is_flipped = augmentation.flip && (random & 1U) != 0;
  const std::uint64_t places = 2 * static_cast<std::uint64_t>(augmentation.crop) + 1;
  const auto shift = [&](std::uint64_t bits) {
    return static_cast<std::int64_t>((bits & 0x7fffffffU) % places) - augmentation.crop;
  };
  const std::int64_t down = shift(random >> 1U);
  const std::int64_t right = shift(random >> 32U);
  Sources sources;
  for (std::int64_t y = 0; y < height; ++y) sources.rows.push_back(mirrored(y + down, height));
  for (std::int64_t x = 0; x < width; ++x) {
    const std::int64_t column = mirrored(x + right, width);
    sources.columns.push_back(is_flipped ? width - 1 - column : column);
  }
  return sources;
}

}  // namespace

Augmentation parse_augmentation(const std::vector<std::string>& names) {
  const std::string crop = "crop:";
  Augmentation augmentation;
  for (const std::string& name : names) {
    if (name == "flip") {
      augmentation.flip = true;
    } else if (name.starts_with(crop)) {
      augmentation.crop = crop_size(name, name.substr(crop.size()));
    } else if (name != "none") {
      throw Error(ErrorCode::kInvalidArgument,
                  format("augmentation '{}': expected none, flip or crop:N", name));
    }
  }
  return augmentation;
}

void augment_image(Tensor& image, ImageLayout layout, const Augmentation& augmentation,
                   std::uint64_t random) {
  const bool is_nchw = layout == ImageLayout::kNchw;
  const Shape& shape = image.shape();
  const std::int64_t height = shape[is_nchw ? 2 : 1];
  const std::int64_t width = shape[is_nchw ? 3 : 2];
  if (augmentation.crop >= height || augmentation.crop >= width) {
    throw Error(ErrorCode::kInvalidArgument,
                format("augmentation 'crop:{}': the images are {} x {} pixels only",
                       augmentation.crop, height, width));
  }
  const Sources from = sources_of(height, width, augmentation, random);
  const std::int64_t planes = is_nchw ? shape[0] * shape[1] : shape[0];
  const std::int64_t pixel = is_nchw ? 1 : shape[3];  // values side by side
  const Tensor before = image;
  const auto source = before.data<float>();
  const auto target = image.mutable_data<float>();
  std::size_t at = 0;
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (const std::int64_t row : from.rows) {
      for (const std::int64_t column : from.columns) {
        const std::int64_t first = ((plane * height + row) * width + column) * pixel;
        for (std::int64_t c = 0; c < pixel; ++c) {
          target[at++] = source[static_cast<std::size_t>(first + c)];
        }
      }
    }
  }
}

}  // namespace hexquant::data
