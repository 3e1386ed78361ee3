#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "core/json_scanner.h"
#include "hexquant/error.h"
#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// What readers of cycles share: `critical` cycles, those on the dominant path, are what a row
/// costs where the profile knows them; busy cycles elsewhere.
class CycleReader {
 public:
  explicit CycleReader(ProfileTable& table) : table_(table), builder_(table) {}

  void broken_off(std::string_view rest, const char* reason) {
    builder_.malformed(0, rest, reason);
  }

 protected:
  void add_critical(ProfileRow& row, double cycles) {
    row.critical.add(cycles);
    has_critical_ = has_critical_ || cycles > 0.0;
  }
  /// Chooses the amounts once all rows are there.
  void finish_rows() {
    builder_.finish();
    for (ProfileRow& row : table_.rows) {
      row.amount = has_critical_ ? row.critical.total : row.value.total;
    }
    table_.may_be_summed = has_critical_;
  }

  ProfileTable& table_;
  ProfileBuilder builder_;

 private:
  bool has_critical_ = false;
};

/// Reads a profile of cycles from a JSON document with a `Reader` of its format. A document that
/// breaks off is read up to that point, and the table says so.
/// @tparam Reader  a CycleReader with read(scanner) and finish()
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
