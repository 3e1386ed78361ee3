#include "core/json_cursor.h"

#include <cmath>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

constexpr std::size_t kMaxShown = 60;

/// The value as it stands in the file, on one line and not too long.
std::string shown(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return format("a list of {}", value.size());
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "...";
  return text;
}

}  // namespace

JsonCursor JsonCursor::at(std::string_view key) const {
  expect_object();
  const auto found = value_->find(key);
  if (found != value_->end()) return {*found, *this, key, 0};
  const std::string here = path();
  throw Error(ErrorCode::kInvalidData, format("{}: {}expected a key \"{}\", which is missing",
                                              *origin_, here.empty() ? "" : here + ": ", key));
}

std::optional<JsonCursor> JsonCursor::find(std::string_view key) const {
  expect_object();
  const auto found = value_->find(key);
  if (found == value_->end()) return std::nullopt;
  return JsonCursor(*found, *this, key, 0);
}

JsonCursor JsonCursor::at(std::size_t index) const {
  return {(*value_)[index], *this, {}, index};
}

const JsonCursor& JsonCursor::expect_object() const {
  if (!value_->is_object()) fail("an object");
  return *this;
}

const JsonCursor& JsonCursor::expect_array() const {
  if (!value_->is_array()) fail("a list");
  return *this;
}

double JsonCursor::number() const {
  if (!value_->is_number()) fail("a number");
  return value_->get<double>();
}

std::int64_t JsonCursor::integer(std::int64_t lowest, std::int64_t highest) const {
  const std::string expected = format("a whole number from {} to {}", lowest, highest);
  if (!value_->is_number()) fail(expected);
  const auto value = value_->get<double>();
  // The limits are far inside the range that double holds exactly.
  if (value != std::floor(value) || value < static_cast<double>(lowest) ||
      value > static_cast<double>(highest)) {
    fail(expected);
  }
  return static_cast<std::int64_t>(value);
}

const std::string& JsonCursor::text() const {
  if (!value_->is_string()) fail("a string");
  return value_->get_ref<const std::string&>();
}

bool JsonCursor::boolean() const {
  if (value_->is_boolean()) return value_->get<bool>();
  if (value_->is_string()) {
    const auto& word = value_->get_ref<const std::string&>();
    if (word == "True" || word == "true") return true;
    if (word == "False" || word == "false") return false;
  }
  fail("true, false, \"True\" or \"False\"");
}

std::string JsonCursor::path() const {
  if (parent_ == nullptr) return "";
  const std::string above = parent_->path();
  if (key_.data() == nullptr) return format("{}[{}]", above, index_);
  return above.empty() ? std::string(key_) : format("{}.{}", above, key_);
}

void JsonCursor::fail(const std::string& expected) const {
  std::string here = path();
  if (!here.empty()) here += ": ";
  // A key may hold any character; a message is one line.
  for (char& c : here) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  throw Error(ErrorCode::kInvalidData,
              format("{}: {}expected {}, got {}", *origin_, here, expected, shown(*value_)));
}

}  // namespace hexquant
