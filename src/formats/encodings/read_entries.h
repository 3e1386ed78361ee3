#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_cursor.h"
#include "formats/encodings/encoding_file.h"

// One entry of each version; private to the readers.
namespace hexquant::formats {

/// Value of a name in 0.6.1 and overrides: a list with one object for the tensor or each channel.
[[nodiscard]] EncodingEntry read_entry_0_6_1(const std::string& name, const JsonCursor& list);
[[nodiscard]] EncodingEntry read_entry_1_0_0(const JsonCursor& object);
[[nodiscard]] EncodingEntry read_entry_2_0_0(const JsonCursor& object);

/// Limits of what a file may say.
inline constexpr std::int64_t kMaxBits = 32;
inline constexpr std::int64_t kMaxBlockSize = std::int64_t{1} << 31;
inline constexpr int kMaxRank = 8;
inline constexpr std::int64_t kMaxOffset = std::int64_t{1} << 33;

/// A scale: a number above 0. @throws Error(kInvalidData)
[[nodiscard]] double read_scale(const JsonCursor& value);
/// An offset or zero point within what 32 bits need. @throws Error(kInvalidData)
[[nodiscard]] double read_offset(const JsonCursor& value);
/// Names of an object's members, in order.
[[nodiscard]] std::vector<std::string> keys_of(const JsonCursor& object);
/// The members that are not in `known`; null when there are none.
[[nodiscard]] Json unknown_members(const JsonCursor& object,
                                   std::span<const std::string_view> known);

}  // namespace hexquant::formats
