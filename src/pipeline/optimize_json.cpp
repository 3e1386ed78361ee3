#include <cmath>

#include "core/finding_json.h"
#include "pipeline/optimize.h"

namespace hexquant::pipeline {
namespace {

template <typename T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json number_json(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

Json cost_json(const ModelCost& cost) {
  return {{"predicted_us", optional_json(cost.predicted_us)},
          {"vendor_us", optional_json(cost.vendor_us)},
          {"predicted_ddr_bytes", optional_json(cost.predicted_ddr_bytes)},
          {"vendor_ddr_bytes", optional_json(cost.vendor_ddr_bytes)},
          {"traffic_bytes", cost.traffic_bytes},
          {"fused_traffic_bytes", cost.fused_traffic_bytes}};
}

Json encoding_json(const std::optional<passes::BorderEncoding>& encoding) {
  if (!encoding) return nullptr;
  return {{"type", dtype_name(encoding->type)},
          {"scale", encoding->scale},
          {"zero_point", encoding->zero_point}};
}

Json borders_json(const BorderChanges& borders) {
  Json inputs = Json::array();
  for (const auto& [name, change] : borders.inputs) {
    if (change.is_none()) continue;
    inputs.push_back({{"name", name},
                      {"nhwc", change.channel_last},
                      {"levels", change.is_levels},
                      {"mean", change.normalization.mean},
                      {"std", change.normalization.std},
                      {"encoding", encoding_json(change.codes)}});
  }
  Json outputs = Json::array();
  for (const auto& [name, change] : borders.outputs) {
    outputs.push_back(
        {{"name", name}, {"nhwc", change.channel_last}, {"encoding", encoding_json(change.codes)}});
  }
  return {{"inputs", std::move(inputs)}, {"outputs", std::move(outputs)}};
}

Json check_json(const OptimizeCheck& check) {
  return {{"on_data", check.on_data},
          {"samples", check.samples},
          {"max_abs", number_json(check.max_abs)},
          {"exact", check.max_abs == 0.0},
          {"sqnr_db", number_json(check.sqnr_db)},
          {"agreement", number_json(check.agreement)},
          {"min_sqnr_db", optional_json(check.min_sqnr_db)},
          {"enough_max_abs", optional_json(check.enough_max_abs)},
          {"min_agreement", optional_json(check.min_agreement)},
          {"passed", check.passed()}};
}

}  // namespace

Json to_json(const OptimizeResult& result) {
  Json rewrites = Json::array();
  for (const RewriteResult& row : result.rewrites) {
    rewrites.push_back({{"name", row.name},
                        {"places", row.places},
                        {"predicted_gain_us", optional_json(row.predicted_gain_us)},
                        {"vendor_gain_us", optional_json(row.vendor_gain_us)},
                        {"before", cost_json(row.before)},
                        {"after", cost_json(row.after)}});
  }
  return {{"quantized", result.is_quantized},
          {"rewrites", std::move(rewrites)},
          {"before", cost_json(result.before)},
          {"prepared", cost_json(result.prepared)},
          {"after", cost_json(result.after)},
          {"npu_fusions",
           {{"places", result.fused}, {"traffic_bytes", result.after.fused_traffic_bytes}}},
          {"borders", borders_json(result.borders)},
          {"preprocess", result.preprocess ? parse_json(*result.preprocess, "preprocess") : Json()},
          {"check", check_json(result.check)},
          {"findings", findings_json(result.findings)}};
}

}  // namespace hexquant::pipeline
