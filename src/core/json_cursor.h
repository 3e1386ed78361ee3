#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"

namespace hexquant {

/// A value inside a JSON document that knows where it stands, for messages such as
/// `net.encodings: activation_encodings.conv1[0].offset: expected a number, got "x"`.
///
/// A cursor refers to its parent: it must not outlive it. Everything that reads throws
/// Error(kInvalidData) when the value is of another kind.
class JsonCursor {
 public:
  /// The document itself. @param origin  file name, outlives the cursor
  JsonCursor(const Json& root, const std::string& origin) : value_(&root), origin_(&origin) {}

  [[nodiscard]] const Json& json() const noexcept { return *value_; }
  [[nodiscard]] bool is_object() const noexcept { return value_->is_object(); }
  [[nodiscard]] bool is_array() const noexcept { return value_->is_array(); }
  /// Members of an object, elements of an array.
  [[nodiscard]] std::size_t size() const noexcept { return value_->size(); }

  /// Member `key`, which must exist. `key` outlives the result.
  [[nodiscard]] JsonCursor at(std::string_view key) const;
  [[nodiscard]] std::optional<JsonCursor> find(std::string_view key) const;
  /// Element `index` of an array. @pre index < size()
  [[nodiscard]] JsonCursor at(std::size_t index) const;

  /// Calls visit(key, cursor) for each member of an object, in order.
  template <typename Visit>
  void each_member(Visit visit) const {
    expect_object();
    for (const auto& item : value_->items()) {
      visit(item.key(), JsonCursor(item.value(), *this, item.key(), 0));
    }
  }

  /// Itself, once it is known to be of the kind.
  const JsonCursor& expect_object() const;
  const JsonCursor& expect_array() const;
  /// A finite number.
  [[nodiscard]] double number() const;
  /// A whole number (also written 8.0) in [lowest, highest].
  [[nodiscard]] std::int64_t integer(std::int64_t lowest, std::int64_t highest) const;
  [[nodiscard]] const std::string& text() const;
  /// true, false, or the strings "True", "False" in any case of the first letter.
  [[nodiscard]] bool boolean() const;

  /// "activation_encodings.conv1[0].offset"; empty for the document.
  [[nodiscard]] std::string path() const;
  /// Throws "<origin>: <path>: expected <expected>, got <value>".
  [[noreturn]] void fail(const std::string& expected) const;

 private:
  JsonCursor(const Json& value, const JsonCursor& parent, std::string_view key, std::size_t index)
      : value_(&value), parent_(&parent), key_(key), index_(index), origin_(parent.origin_) {}

  const Json* value_;
  const JsonCursor* parent_ = nullptr;
  std::string_view key_;
  std::size_t index_ = 0;
  const std::string* origin_;
};

}  // namespace hexquant
