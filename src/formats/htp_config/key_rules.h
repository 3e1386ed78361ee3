#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_cursor.h"

// What the keys of HTP options files may hold. Internal to htp_config.
namespace hexquant::formats {

enum class KeyKind {
  kInteger,   ///< in [lowest, highest], also written 3.0
  kFlag,      ///< true, false, 0 or 1
  kWord,      ///< one of `words`
  kText,      ///< any text that is not empty
  kTexts,     ///< list of texts
  kIntegers,  ///< list of whole numbers in [lowest, highest]
  kObject,    ///< with `members`
  kObjects,   ///< list of objects with `members`, or one of them bare
  kFree       ///< not looked into
};

struct KeyRule {
  std::string_view key;
  KeyKind kind = KeyKind::kFree;
  std::int64_t lowest = 0;
  std::int64_t highest = 0;
  std::span<const std::string_view> words = {};
  std::span<const KeyRule> members = {};
};

/// Checks every member of an object against `rules`, deep down.
/// @param origin  the file, as in the cursor's messages
/// @throws Error(kInvalidData) naming file and key path
void check_members(const JsonCursor& object, std::span<const KeyRule> rules,
                   const std::string& origin);

/// A flag's value. @throws Error(kInvalidData)
[[nodiscard]] bool flag(const JsonCursor& value);

/// Keys of a backend-extensions file.
[[nodiscard]] std::span<const KeyRule> extension_rules() noexcept;
/// Keys of the file around it.
[[nodiscard]] std::span<const KeyRule> outer_rules() noexcept;
/// Keys of the article's file.
[[nodiscard]] std::span<const KeyRule> article_rules() noexcept;

}  // namespace hexquant::formats
