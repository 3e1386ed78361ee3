#include "core/json_scanner.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "core/format.h"
#include "core/json.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

bool is_space(char c) noexcept {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

bool is_scalar_end(char c) noexcept {
  return is_space(c) || c == ',' || c == '}' || c == ']';
}

}  // namespace

JsonScanner::JsonScanner(std::string_view text, std::string origin)
    : text_(text), origin_(std::move(origin)) {}

void JsonScanner::fail(const char* expected) const {
  const std::string found =
      position_ < text_.size()
          ? format("byte 0x{:02x}", static_cast<unsigned char>(text_[position_]))
          : std::string("the end of the text");
  throw Error(ErrorCode::kInvalidData, format("{}: byte {}: not valid JSON: expected {}, found {}",
                                              origin_, position_ + 1, expected, found));
}

char JsonScanner::next_token() {
  while (position_ < text_.size() && is_space(text_[position_])) ++position_;
  return position_ < text_.size() ? text_[position_] : '\0';
}

void JsonScanner::open(char bracket) {
  if (next_token() != bracket) fail(bracket == '{' ? "an object" : "an array");
  ++position_;
}

void JsonScanner::expect(char wanted) {
  if (next_token() != wanted) fail("':'");
  ++position_;
}

bool JsonScanner::has_next(char close, bool first) {
  const char token = next_token();
  if (token == close) {
    ++position_;
    return false;
  }
  if (first) return true;
  if (token != ',') fail("',' or the end of the object or array");
  ++position_;
  return true;
}

std::string_view JsonScanner::raw_string() {
  if (next_token() != '"') fail("a string");
  const std::size_t start = position_ + 1;
  std::size_t end = start;
  for (;;) {
    end = text_.find('"', end);
    if (end == std::string_view::npos) {
      position_ = text_.size();
      fail("'\"'");
    }
    std::size_t slashes = 0;
    while (end - slashes > start && text_[end - slashes - 1] == '\\') ++slashes;
    if (slashes % 2 == 0) break;
    ++end;
  }
  position_ = end + 1;
  return text_.substr(start, end - start);
}

std::string JsonScanner::string() {
  const std::string_view raw = raw_string();
  if (raw.find('\\') == std::string_view::npos) return std::string(raw);
  return parse_json("\"" + std::string(raw) + "\"", origin_).get<std::string>();
}

bool JsonScanner::at_number() {
  const char token = next_token();
  return token == '-' || (token >= '0' && token <= '9');
}

double JsonScanner::number() {
  if (!at_number()) fail("a number");
  double value = 0.0;
  const char* const end = text_.data() + text_.size();
  const auto [stop, error] = std::from_chars(text_.data() + position_, end, value);
  if (error != std::errc{}) fail("a number within the range of double");
  position_ = static_cast<std::size_t>(stop - text_.data());
  return value;
}

std::int64_t JsonScanner::integer() {
  if (!at_number()) fail("a number");
  std::int64_t value = 0;
  const char* const end = text_.data() + text_.size();
  const auto [stop, error] = std::from_chars(text_.data() + position_, end, value);
  if (error == std::errc{} && (stop == end || is_scalar_end(*stop))) {
    position_ = static_cast<std::size_t>(stop - text_.data());
    return value;
  }
  const double real = number();
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (real >= kLimit) return std::numeric_limits<std::int64_t>::max();
  if (real < -kLimit) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(std::nearbyint(real));
}

void JsonScanner::skip() {
  // A counter instead of recursion: nesting of any depth cannot exhaust the stack.
  std::size_t depth = 0;
  do {
    const char token = next_token();
    if (token == '\0') fail("a value");
    if (token == '"') {
      static_cast<void>(raw_string());
    } else if (token == '{' || token == '[') {
      ++depth;
      ++position_;
    } else if (token == '}' || token == ']') {
      if (depth == 0) fail("a value");
      --depth;
      ++position_;
    } else if (depth > 0 && (token == ',' || token == ':')) {
      ++position_;
    } else {
      const std::size_t start = position_;
      while (position_ < text_.size() && !is_scalar_end(text_[position_]) &&
             text_[position_] != ':') {
        ++position_;
      }
      if (position_ == start) fail("a value");
    }
  } while (depth > 0);
}

}  // namespace hexquant
