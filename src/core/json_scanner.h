#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hexquant {

/// Forward-only reader of JSON text in memory that builds no tree: for documents of hundreds of
/// megabytes from which only some members are wanted.
///
/// Whoever holds the scanner reads or skips each value in order:
///
///     scanner.object([&](std::string_view key) {
///       if (key == "dur") event.duration = scanner.integer(); else scanner.skip();
///     });
///
/// The syntax of what is skipped is checked only as far as finding its end takes. Every function
/// throws Error(kInvalidData) "<origin>: byte N: ..." on malformed or truncated text; what was
/// read before stays valid.
class JsonScanner {
 public:
  /// @param text  must outlive the scanner; reading starts at its first byte
  JsonScanner(std::string_view text, std::string origin);

  /// Calls `member(key)` for each member, which must read or skip its value. Keys are raw: escapes
  /// are left as they stand.
  template <typename Member>
  void object(Member member) {
    open('{');
    for (bool first = true; has_next('}', first); first = false) {
      const std::string_view key = raw_string();
      expect(':');
      member(key);
    }
  }

  /// Calls `element()` for each element, which must read or skip it.
  template <typename Element>
  void array(Element element) {
    open('[');
    for (bool first = true; has_next(']', first); first = false) element();
  }

  /// A string as it stands between its quotes, escapes and all.
  [[nodiscard]] std::string_view raw_string();
  /// A string with its escapes resolved.
  [[nodiscard]] std::string string();
  [[nodiscard]] double number();
  /// A number without fraction; beyond the range of int64, and for fractions, the nearest int64.
  [[nodiscard]] std::int64_t integer();
  /// True if a value of this kind follows.
  [[nodiscard]] bool at_number();
  [[nodiscard]] bool at_string() { return next_token() == '"'; }
  [[nodiscard]] bool at_object() { return next_token() == '{'; }
  [[nodiscard]] bool at_array() { return next_token() == '['; }
  /// Passes over one value of any kind.
  void skip();

  /// Bytes read so far.
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

 private:
  void open(char bracket);
  void expect(char wanted);
  [[nodiscard]] bool has_next(char close, bool first);
  char next_token();
  [[noreturn]] void fail(const char* expected) const;

  std::string_view text_;
  std::string origin_;
  std::size_t position_ = 0;
};

}  // namespace hexquant
