#pragma once

#include <optional>
#include <string>
#include <vector>

#include "profiling/profile_table.h"

namespace hexquant::profiling {

/// An operation in two profiles.
struct ComparedRow {
  std::string name;
  std::string op;
  std::optional<double> before;  ///< absent: added
  std::optional<double> after;   ///< absent: removed

  /// after - before; what is missing counts as 0.
  [[nodiscard]] double change() const noexcept { return after.value_or(0) - before.value_or(0); }
};

struct ProfileComparison {
  ProfileUnit unit = ProfileUnit::kMicroseconds;
  bool may_be_summed = false;
  double before_sum = 0.0;
  double after_sum = 0.0;
  std::vector<ComparedRow> rows = {};  ///< largest change first
};

/// Compares by label (ONNX node where known, else name), rows of one label added up.
/// @throws Error(kInvalidData) when one counts microseconds and the other cycles
[[nodiscard]] ProfileComparison compare_profiles(const ProfileTable& before,
                                                 const ProfileTable& after);

}  // namespace hexquant::profiling
