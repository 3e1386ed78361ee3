#include "profiling/compare_profiles.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::profiling {

ProfileComparison compare_profiles(const ProfileTable& before, const ProfileTable& after) {
  if (before.unit != after.unit) {
    throw Error(ErrorCode::kInvalidData,
                format("{} counts {}, {} counts {}: only profiles in the same unit can be compared",
                       before.sources.front(), profile_unit_name(before.unit),
                       after.sources.front(), profile_unit_name(after.unit)));
  }
  ProfileComparison comparison{.unit = before.unit,
                               .may_be_summed = before.may_be_summed && after.may_be_summed,
                               .before_sum = before.sum(),
                               .after_sum = after.sum()};
  std::unordered_map<std::string, std::size_t> places;
  const auto add = [&](const ProfileTable& table, std::optional<double> ComparedRow::*side) {
    for (const ProfileRow& row : table.rows) {
      if (row.value.count == 0) continue;
      const auto [place, is_new] = places.emplace(row.label(), comparison.rows.size());
      if (is_new) comparison.rows.push_back({row.label(), row.op, {}, {}});
      ComparedRow& compared = comparison.rows[place->second];
      compared.*side = (compared.*side).value_or(0.0) + row.amount;
    }
  };
  add(before, &ComparedRow::before);
  add(after, &ComparedRow::after);
  std::stable_sort(comparison.rows.begin(), comparison.rows.end(),
                   [](const ComparedRow& a, const ComparedRow& b) {
                     return std::abs(a.change()) > std::abs(b.change());
                   });
  return comparison;
}

}  // namespace hexquant::profiling
