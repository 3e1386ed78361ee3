#include "core/json.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

/// "line:column" of a byte position, both from 1.
std::string position_text(const std::string& text, std::size_t byte) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
  const auto line = 1 + std::count(text.begin(), end, '\n');
  const auto line_start = text.rfind('\n', byte == 0 ? 0 : std::min(byte, text.size()) - 1);
  const std::size_t column = line_start == std::string::npos || line == 1
                                 ? byte
                                 : std::min(byte, text.size()) - line_start;
  return format("{}:{}", line, std::max<std::size_t>(column, 1));
}

}  // namespace

Json parse_json(const std::string& text, const std::string& origin, JsonComments comments) {
  constexpr bool kThrows = true;
  try {
    return Json::parse(text, nullptr, kThrows, comments == JsonComments::kPassedOver);
  } catch (const Json::parse_error& error) {
    std::string reason = error.what();
    const auto colon = reason.find(": ");
    if (colon != std::string::npos) reason = reason.substr(colon + 2);
    std::replace(reason.begin(), reason.end(), '\n', ' ');
    const std::size_t byte = error.byte == 0 ? 0 : error.byte - 1;
    throw Error(ErrorCode::kInvalidData,
                format("{}:{}: not valid JSON: {}", origin, position_text(text, byte), reason));
  } catch (const Json::exception& error) {  // a number beyond double
    throw Error(ErrorCode::kInvalidData, format("{}: {}", origin, error.what()));
  }
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

void append_member(Json& object, const std::string& key, Json value) {
  object.get_ref<Json::object_t&>().emplace_back(key, std::move(value));
}

std::string to_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hexquant
