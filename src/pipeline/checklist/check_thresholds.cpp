#include "pipeline/checklist/check_thresholds.h"

#include <array>
#include <limits>
#include <variant>
#include <vector>

#include "core/format.h"
#include "core/json_cursor.h"
#include "hexquant/error.h"

namespace hexquant::pipeline {
namespace {

struct ThresholdKey {
  const char* name;
  std::variant<std::int64_t CheckThresholds::*, double CheckThresholds::*> member;
};

constexpr std::array<ThresholdKey, 17> kKeys = {{
    {"min_samples", &CheckThresholds::min_samples},
    {"recommended_samples", &CheckThresholds::recommended_samples},
    {"min_class_share", &CheckThresholds::min_class_share},
    {"max_near_duplicates", &CheckThresholds::max_near_duplicates},
    {"max_out_of_range", &CheckThresholds::max_out_of_range},
    {"max_outside_edges", &CheckThresholds::max_outside_edges},
    {"min_per_channel", &CheckThresholds::min_per_channel},
    {"max_range_excess_db", &CheckThresholds::max_range_excess_db},
    {"min_cosine", &CheckThresholds::min_cosine},
    {"min_sqnr_db", &CheckThresholds::min_sqnr_db},
    {"max_metric_loss", &CheckThresholds::max_metric_loss},
    {"min_vtcm_utilization", &CheckThresholds::min_vtcm_utilization},
    {"stability_runs", &CheckThresholds::stability_runs},
    {"stability_runs_htp", &CheckThresholds::stability_runs_htp},
    {"max_memory_growth_mb", &CheckThresholds::max_memory_growth_mb},
    {"max_memory_share", &CheckThresholds::max_memory_share},
    {"max_slowdown", &CheckThresholds::max_slowdown},
}};

void set(CheckThresholds& thresholds, const ThresholdKey& key, const JsonCursor& value) {
  if (const auto* whole = std::get_if<std::int64_t CheckThresholds::*>(&key.member)) {
    thresholds.*(*whole) = value.integer(1, std::numeric_limits<std::int32_t>::max());
    return;
  }
  const double number = value.number();
  if (number < 0.0) value.fail("a number of 0 or more");
  thresholds.*std::get<double CheckThresholds::*>(key.member) = number;
}

}  // namespace

CheckThresholds read_thresholds(const std::string& path) {
  CheckThresholds thresholds;
  const Json json = read_json(path);
  JsonCursor(json, path).each_member([&](const std::string& name, const JsonCursor& value) {
    for (const ThresholdKey& key : kKeys) {
      if (name == key.name) return set(thresholds, key, value);
    }
    std::vector<std::string> names;
    for (const ThresholdKey& key : kKeys) names.emplace_back(key.name);
    throw Error(ErrorCode::kInvalidData,
                format("{}: unknown threshold '{}'; there are {}", path, name, join(names, ", ")));
  });
  return thresholds;
}

Json to_json(const CheckThresholds& thresholds) {
  Json json = Json::object();
  for (const ThresholdKey& key : kKeys) {
    std::visit([&](auto member) { json[key.name] = thresholds.*member; }, key.member);
  }
  return json;
}

}  // namespace hexquant::pipeline
