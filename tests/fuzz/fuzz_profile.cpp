#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "fuzz_support.h"
#include "profiling/compare_profiles.h"
#include "profiling/profile_names.h"
#include "profiling/read_profile.h"

namespace {

namespace profiling = hexquant::profiling;

/// Whatever was read can be named, sorted, grouped, merged with itself and compared.
void use(profiling::ProfileTable table) {
  if (table.malformed.size() > profiling::ProfileTable::kMalformedShown) __builtin_trap();
  if (static_cast<std::int64_t>(table.malformed.size()) > table.malformed_count) __builtin_trap();
  profiling::name_rows(table, {});
  for (const profiling::ProfileRow& row : table.rows) {
    if (!(row.amount >= 0.0) || row.name.empty()) __builtin_trap();
  }
  const std::size_t rows = table.rows.size();
  profiling::ProfileTable again = table;
  profiling::merge_profiles(again, profiling::ProfileTable(table));
  if (again.rows.size() != rows) __builtin_trap();
  profiling::sort_rows(again);
  for (const auto grouping : {profiling::ProfileGrouping::kNode, profiling::ProfileGrouping::kOp,
                              profiling::ProfileGrouping::kUnit}) {
    double share = 0.0;
    for (const auto& group : profiling::group_rows(table, grouping)) share += group.share;
    if (!(share <= 1.0 + 1e-6)) __builtin_trap();
  }
  const profiling::ProfileComparison comparison = profiling::compare_profiles(table, table);
  for (const profiling::ComparedRow& row : comparison.rows) {
    if (row.change() != 0.0) __builtin_trap();
  }
}

}  // namespace

/// Any bytes are read as every format without an error (a CSV may refuse a missing header), and
/// the format that detection gives is one that reads them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size_bytes);
  static_cast<void>(profiling::detect_profile(bytes));
  for (const profiling::ProfileFormat format : profiling::kProfileFormats) {
    const bool is_read =
        hexquant::fuzz::accepts([&] { use(profiling::read_profile(bytes, format, "fuzz")); });
    if (!is_read && format != profiling::ProfileFormat::kQnnCsv) __builtin_trap();
  }
  return 0;
}
