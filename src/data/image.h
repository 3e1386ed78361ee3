#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace hexquant::data {

/// 8-bit pixels, rows from the top, channels interleaved without padding.
struct Image {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;  ///< 1 = gray, 3 = colour
  bool bgr = false;           ///< colour channels are stored blue first
  std::shared_ptr<const std::uint8_t> pixels;

  [[nodiscard]] std::size_t row_bytes() const noexcept {
    return static_cast<std::size_t>(width * channels);
  }
};

/// A part of an image.
struct Window {
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// True for the file names this library decodes: jpg, jpeg, png, bmp, webp, ppm, in any case.
[[nodiscard]] bool has_image_extension(const std::filesystem::path& path);

/// Decodes an image file to colour, with the pixels that Pillow's `Image.open(f).convert("RGB")`
/// gives: the EXIF orientation is not applied, alpha is dropped, palettes are expanded, 16-bit
/// colour keeps its high byte and 16-bit gray is clipped at 255.
/// @throws Error(kIo); Error(kInvalidData) naming the file when it is damaged or no image
[[nodiscard]] Image decode_image(const std::filesystem::path& path);

/// The same from the bytes of a file. @param origin  name, for messages
[[nodiscard]] Image decode_image(const std::string& bytes, const std::string& origin);

/// Checks, before the decoder sees them, that a JPEG reaches its end marker, that a PNG's chunks
/// are whole and match their CRCs, and that uncompressed BMP and PNM pixels are all there: the
/// decoder would fill what is missing with gray, or complain on stderr by itself. Other formats
/// pass. @throws Error(kInvalidData)
void check_image_file(std::span<const std::uint8_t> bytes, const std::string& origin);

}  // namespace hexquant::data
