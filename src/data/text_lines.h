#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hexquant::data {

/// A line that is not blank, without the blanks around it.
struct TextLine {
  std::size_t number;  ///< from 1
  std::string_view text;
};

/// Non-blank lines of a text (LF or CRLF, with or without a UTF-8 byte order mark). The views
/// point into `text`.
[[nodiscard]] std::vector<TextLine> text_lines(std::string_view text);

[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Integer that makes up the whole text, or nothing.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

/// "did you mean" help: up to three of `candidates`, closest to `name` first, or all when there
/// are few; "(none)" when empty.
[[nodiscard]] std::string nearest_names(std::string_view name,
                                        const std::vector<std::string>& candidates);

}  // namespace hexquant::data
