#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "core/file_io.h"
#include "profiling/profile_table.h"

namespace hexquant::profiling::test {

/// A file of tests/profiling/profiles.
inline std::filesystem::path profile_path(const std::string& name) {
  return std::filesystem::path(HEXQUANT_SOURCE_DIR) / "tests" / "profiling" / "profiles" / name;
}

inline std::string profile_bytes(const std::string& name) {
  return read_file(profile_path(name));
}

/// The row with this name (of any graph); a failure and an empty row when there is none.
inline ProfileRow row_named(const ProfileTable& table, const std::string& name) {
  const auto found = std::find_if(table.rows.begin(), table.rows.end(),
                                  [&](const ProfileRow& row) { return row.name == name; });
  if (found != table.rows.end()) return *found;
  ADD_FAILURE() << "no row " << name;
  return {};
}

inline bool has_finding(const ProfileTable& table, const std::string& id) {
  return std::any_of(table.findings.begin(), table.findings.end(),
                     [&](const Finding& finding) { return finding.id == id; });
}

}  // namespace hexquant::profiling::test
