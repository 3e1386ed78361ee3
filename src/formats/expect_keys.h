#pragma once

#include <initializer_list>
#include <string_view>

#include "core/json_cursor.h"

namespace hexquant::formats {

/// @throws Error(kInvalidData) naming the place unless `object` is an object with members of these
///         names only
void expect_keys(const JsonCursor& object, std::initializer_list<std::string_view> known);

}  // namespace hexquant::formats
