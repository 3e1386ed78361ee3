#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
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

/// Sample values of a PNM file are scaled by its maximum; only 255 needs no scaling.
void check_pnm(Bytes bytes, const std::string& origin) {
  if (bytes[1] == '1' || bytes[1] == '4') return;  // bitmaps have no maximum
  std::size_t offset = 2;
  std::size_t value = 0;
  for (int field = 0; field < 3; ++field) {  // width, height, maximum
    while (offset < bytes.size() && (std::isspace(bytes[offset]) != 0 || bytes[offset] == '#')) {
      const bool comment = bytes[offset] == '#';
      while (comment && offset < bytes.size() && bytes[offset] != '\n') ++offset;
      offset = std::min(offset + 1, bytes.size());
    }
    for (value = 0; offset < bytes.size() && std::isdigit(bytes[offset]) != 0; ++offset) {
      value = std::min<std::size_t>(value * 10 + (bytes[offset] - '0'), 1U << 20);
    }
  }
  if (value != 255) {
    throw Error(ErrorCode::kUnsupported,
                format("{}: PNM image with maximum value {}: expected 255", origin, value));
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
  }
}

}  // namespace hexquant::data
