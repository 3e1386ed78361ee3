#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "core/json_scanner.h"
#include "hexquant/error.h"
#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// Reads a profile of cycles from a JSON document with a `Reader` of its format. A document that
/// breaks off is read up to that point, and the table says so.
/// @tparam Reader  made from the table; read(scanner), broken_off(rest, reason), finish()
template <typename Reader>
[[nodiscard]] ProfileTable read_json_cycles(ProfileFormat format, std::string_view json,
                                            const std::string& origin) {
  ProfileTable table{.format = format, .sources = {origin}, .unit = ProfileUnit::kCycles};
  Reader reader(table);
  JsonScanner scanner(json, origin);
  try {
    reader.read(scanner);
  } catch (const Error& error) {
    reader.broken_off(json.substr(std::min(scanner.position(), json.size())), error.what());
  }
  reader.finish();
  return table;
}

}  // namespace hexquant::profiling
