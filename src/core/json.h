#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

// The only header that knows nlohmann-json.
namespace hexquant {

/// Keys keep the order in which they were written, so that files read well and bytes are stable.
using Json = nlohmann::ordered_json;

/// Whether // and /* */ comments are passed over or refused, as the JSON standard does.
enum class JsonComments { kRefused, kPassedOver };

/// Parses `text`. @throws Error(kInvalidData) "<origin>:<line>:<column>: ..." on malformed JSON.
[[nodiscard]] Json parse_json(const std::string& text, const std::string& origin,
                              JsonComments comments = JsonComments::kRefused);
/// Reads and parses a file. @throws Error(kIo) when it cannot be read.
[[nodiscard]] Json read_json(const std::filesystem::path& path);
/// Adds a member to an object that has none of this name. Unlike operator[] it does not search the
/// object, so that thousands of members are not quadratic work.
void append_member(Json& object, const std::string& key, Json value);
/// Two-space indented text with a final newline; NaN and infinities become null.
[[nodiscard]] std::string to_text(const Json& json);

}  // namespace hexquant
