#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "core/format.h"
#include "data/image.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::array<std::uint8_t, 8> kPngSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

[[noreturn]] void fail(const std::string& origin, const std::string& problem) {
  throw Error(ErrorCode::kInvalidData, origin + ": " + problem);
}

std::size_t big_endian(Bytes bytes) {
  std::size_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

/// First byte of the compressed scan: behind all segments up to and with the start-of-scan one.
/// Thumbnails lie inside segments, so their own end markers are stepped over.
std::size_t find_jpeg_scan(Bytes bytes, const std::string& origin) {
  constexpr std::uint8_t kStartOfScan = 0xDA;
  std::size_t offset = 2;
  while (offset + 4 <= bytes.size() && bytes[offset] == 0xFF) {
    const std::uint8_t marker = bytes[offset + 1];
    if (marker == 0xFF) {  // fill byte
      ++offset;
      continue;
    }
    const std::size_t segment_bytes = big_endian(bytes.subspan(offset + 2, 2));
    offset += 2 + segment_bytes;
    if (marker == kStartOfScan) return offset;
  }
  fail(origin, "damaged or truncated JPEG (no image data)");
}

void check_jpeg(Bytes bytes, const std::string& origin) {
  constexpr std::array<std::uint8_t, 2> kEndOfImage{0xFF, 0xD9};
  const std::size_t scan = std::min(find_jpeg_scan(bytes, origin), bytes.size());
  const Bytes rest = bytes.subspan(scan);
  if (std::search(rest.begin(), rest.end(), kEndOfImage.begin(), kEndOfImage.end()) == rest.end()) {
    fail(origin, format("truncated JPEG: {} bytes without the end-of-image marker", bytes.size()));
  }
}

void check_png(Bytes bytes, const std::string& origin) {
  constexpr std::size_t kChunkFrameBytes = 12;  // length, type, CRC
  std::size_t offset = kPngSignature.size();
  while (bytes.size() - offset >= kChunkFrameBytes) {
    const std::size_t data_bytes = big_endian(bytes.subspan(offset, 4));
    if (data_bytes > bytes.size() - offset - kChunkFrameBytes) break;
    const Bytes covered = bytes.subspan(offset + 4, 4 + data_bytes);
    const std::size_t stored_crc = big_endian(bytes.subspan(offset + 8 + data_bytes, 4));
    const std::string_view type(reinterpret_cast<const char*>(covered.data()), 4);
    if (::crc32_z(0, covered.data(), covered.size()) != stored_crc) {
      fail(origin, format("damaged PNG: the CRC of its chunk at byte {} does not match", offset));
    }
    if (type == "IEND") return;
    offset += kChunkFrameBytes + data_bytes;
  }
  fail(origin, format("truncated PNG: {} bytes without the end chunk", bytes.size()));
}

/// Numbers of a PNM header, from `offset` on; blanks and '#' comments stand between them.
std::size_t next_pnm_number(Bytes bytes, std::size_t& offset) {
  constexpr std::size_t kLargest = 1U << 20;
  while (offset < bytes.size() && (std::isspace(bytes[offset]) != 0 || bytes[offset] == '#')) {
    const bool comment = bytes[offset] == '#';
    while (comment && offset < bytes.size() && bytes[offset] != '\n') ++offset;
    offset = std::min(offset + 1, bytes.size());
  }
  std::size_t value = 0;
  for (; offset < bytes.size() && std::isdigit(bytes[offset]) != 0; ++offset) {
    value = std::min<std::size_t>(value * 10 + (bytes[offset] - '0'), kLargest);
  }
  return value;
}

/// Sample values of a PNM file are scaled by its maximum; only 255 needs no scaling.
void check_pnm(Bytes bytes, const std::string& origin) {
  const char kind = static_cast<char>(bytes[1]);
  const bool bitmap = kind == '1' || kind == '4';
  std::size_t offset = 2;
  const std::size_t width = next_pnm_number(bytes, offset);
  const std::size_t height = next_pnm_number(bytes, offset);
  const std::size_t maximum = bitmap ? 255 : next_pnm_number(bytes, offset);
  if (maximum != 255) {
    throw Error(ErrorCode::kUnsupported,
                format("{}: PNM image with maximum value {}: expected 255", origin, maximum));
  }
  if (kind < '4') return;  // pixels as text
  const std::size_t row_bytes = bitmap ? (width + 7) / 8 : kind == '5' ? width : width * 3;
  if (offset + 1 + row_bytes * height > bytes.size()) {
    fail(origin, format("truncated image: {} bytes for {}x{} pixels", bytes.size(), height, width));
  }
}

std::size_t little_endian(Bytes bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

/// Uncompressed pixels of a BMP file; rows are padded to four bytes.
void check_bmp(Bytes bytes, const std::string& origin) {
  constexpr std::size_t kHeaderBytes = 34;  // up to and with the compression field
  constexpr std::size_t kInfoHeaderBytes = 40;
  if (bytes.size() < kHeaderBytes) {
    fail(origin, format("truncated image: {} bytes", bytes.size()));
  }
  const auto number = [&](std::size_t offset, std::size_t width) {
    return little_endian(bytes.subspan(offset, width));
  };
  if (number(14, 4) < kInfoHeaderBytes || number(30, 4) != 0) return;
  const auto width = static_cast<std::int32_t>(number(18, 4));
  const std::int64_t height = std::abs(std::int64_t{static_cast<std::int32_t>(number(22, 4))});
  if (width < 0) return;
  const std::size_t row_bytes = (static_cast<std::size_t>(width) * number(28, 2) + 31) / 32 * 4;
  if (number(10, 4) + row_bytes * static_cast<std::size_t>(height) > bytes.size()) {
    fail(origin, format("truncated image: {} bytes for {}x{} pixels", bytes.size(), height, width));
  }
}

}  // namespace

void check_image_file(Bytes bytes, const std::string& origin) {
  if (bytes.empty()) fail(origin, "empty file: expected an image");
  if (bytes.size() >= 2 && bytes[0] == 0xFF && bytes[1] == 0xD8) {
    check_jpeg(bytes, origin);
  } else if (bytes.size() >= kPngSignature.size() &&
             std::equal(kPngSignature.begin(), kPngSignature.end(), bytes.begin())) {
    check_png(bytes, origin);
  } else if (bytes.size() >= 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6') {
    check_pnm(bytes, origin);
  } else if (bytes.size() >= 2 && bytes[0] == 'B' && bytes[1] == 'M') {
    check_bmp(bytes, origin);
  }
}

}  // namespace hexquant::data
