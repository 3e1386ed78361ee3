#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// Files without measurements that help to name operations.
enum class NameFile {
  kSchematic,      ///< *_schematic.bin
  kFrameworkTrace  ///< qnn_op_trace.json
};

using ProfileFile = std::variant<ProfileFormat, NameFile>;

/// What a file is, by its content; nullopt when it is none of them.
///
/// JSON by the keys it starts with, CSV by its header, a binary log by a zero byte in its first
/// kilobytes, text by the first line that only one format has.
[[nodiscard]] std::optional<ProfileFile> detect_profile(std::string_view bytes);

/// Reads a file of a known format. @param origin  its name, for findings and messages
/// @throws Error(kInvalidData) only for a CSV without its header
[[nodiscard]] ProfileTable read_profile(std::string_view bytes, ProfileFormat format,
                                        const std::string& origin);

}  // namespace hexquant::profiling
