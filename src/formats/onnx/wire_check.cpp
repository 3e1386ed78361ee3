#include "formats/onnx/wire_check.h"

#include <cstdint>
#include <optional>

#include "core/format.h"

namespace hexquant::formats {
namespace {

/// Reads the base-128 number at `position` and moves behind it.
std::optional<std::uint64_t> read_varint(std::string_view bytes, std::size_t& position) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && position < bytes.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[position++]);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string describe_damage(std::string_view bytes) {
  enum WireType : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  std::size_t position = 0;
  while (position < bytes.size()) {
    const std::size_t start = position;
    const auto tag = read_varint(bytes, position);
    if (!tag) return format("truncated at byte {}", bytes.size());
    std::uint64_t length = 0;
    switch (*tag & 7U) {
      case kVarint:
        if (!read_varint(bytes, position)) return format("truncated at byte {}", bytes.size());
        break;
      case kFixed64:
        length = 8;
        break;
      case kFixed32:
        length = 4;
        break;
      case kBytes: {
        const auto announced = read_varint(bytes, position);
        if (!announced) return format("truncated at byte {}", bytes.size());
        length = *announced;
        break;
      }
      default:
        return format("byte {} starts no protobuf field", start);
    }
    if (length > bytes.size() - position) {
      return format("truncated at byte {}: the part that starts at byte {} has {} bytes",
                    bytes.size(), position, length);
    }
    position += length;
  }
  return "a part of it is damaged";
}

}  // namespace hexquant::formats
