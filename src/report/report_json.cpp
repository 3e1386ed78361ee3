#include <cmath>

#include "core/finding_json.h"
#include "report/report.h"

namespace hexquant::report {
namespace {

/// JSON has no NaN and no infinity: both become null. `exact` beside sqnr_db tells them apart.
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json sqnr_members(double sqnr_db) {
  return {{"sqnr_db", number(sqnr_db)}, {"exact", std::isinf(sqnr_db) && sqnr_db > 0}};
}

/// Metrics by name; top1 is always there, null when it was not measured.
Json metrics_json(const std::map<std::string, double>& metrics) {
  Json json;
  json["top1"] = nullptr;
  for (const auto& [name, value] : metrics) json[name] = number(value);
  return json;
}

Json summary_json(const Summary& summary) {
  Json json;
  json["metric"] = summary.metric;
  json["fp32"] = metrics_json(summary.fp32);
  json["quantized"] = metrics_json(summary.quantized);
  json.update(sqnr_members(summary.sqnr_db));
  json["cosine"] = number(summary.cosine);
  json["mse"] = number(summary.mse);
  json["agreement"] = number(summary.agreement);
  json["samples"] = summary.samples;
  json["interval"] = nullptr;
  if (summary.interval) json["interval"] = {summary.interval->first, summary.interval->second};
  return json;
}

Json layer_json(const LayerRow& layer) {
  const bool has_weights = layer.weight_bits != 0;
  Json json;
  json["name"] = layer.name;
  json["op"] = layer.op;
  json["weight_bits"] = has_weights ? Json(layer.weight_bits) : Json(nullptr);
  json["act_bits"] = layer.act_bits;
  json["granularity"] = granularity_name(layer.granularity);
  json["requested_bits"] = has_weights ? layer.requested_weight_bits : layer.requested_act_bits;
  json["effective_bits"] = has_weights ? layer.weight_bits : layer.act_bits;
  json["reason"] = layer.reason;
  json.update(sqnr_members(layer.sqnr_db));
  json["weight_sqnr_db"] = number(layer.weight_sqnr_db);
  json["output"] = layer.output;
  json["parameters"] = layer.parameters;
  return json;
}

Json activation_json(const ActivationRow& row) {
  return {{"tensor", row.tensor},
          {"type", row.type},
          {"observed_min", number(row.observed_min)},
          {"observed_max", number(row.observed_max)},
          {"range_min", number(row.range_min)},
          {"range_max", number(row.range_max)},
          {"scale", row.scale},
          {"zero_point", row.zero_point},
          {"clipped_fraction", number(row.clipped_fraction)},
          {"range_excess_db", number(row.range_excess_db)}};
}

Json rounding_json(const RoundingRow& row) {
  return {{"layer", row.layer},
          {"weight", row.weight},
          {"output_sqnr_db",
           {{"min_max", number(row.min_max_db)},
            {"clip_search", number(row.clip_search_db)},
            {"gptq", number(row.gptq_db)},
            {"result", number(row.result_db)}}},
          {"clamped_sqnr_db",
           {{"before", number(row.clamped_before_db)}, {"result", number(row.clamped_result_db)}}},
          {"bias_shift", number(row.bias_shift)},
          {"sweeps", row.sweeps},
          {"positions", row.positions}};
}

Json rung_json(const RungRow& row) {
  return {{"method", row.method},
          {"reason", row.reason},
          {"ran", row.ran},
          {"metric", row.metric},
          {"value", row.ran ? number(row.value) : Json(nullptr)},
          {"loss", row.ran ? number(row.loss) : Json(nullptr)},
          {"meets_target", row.meets_target},
          {"chosen", row.chosen},
          {"predicted_us", row.ran ? number(row.predicted_us) : Json(nullptr)},
          {"seconds", row.seconds}};
}

Json epoch_json(const EpochRow& row) {
  return {{"epoch", row.epoch},
          {"steps", row.steps},
          {"loss", number(row.loss)},
          {"value", number(row.value)},
          {"learning_rate", row.learning_rate},
          {"samples_per_s", number(row.samples_per_s)},
          {"seconds", row.seconds},
          {"is_best", row.is_best}};
}

Json performance_json(const PerformanceRow& row) {
  return {{"is_measurement", false},          {"time_us", number(row.time_us)},
          {"lower_us", number(row.lower_us)}, {"upper_us", number(row.upper_us)},
          {"ddr_bytes", row.ddr_bytes},       {"median_error", number(row.median_error)}};
}

Json equalization_json(const EqualizationRow& row) {
  return {{"producers", row.producers},
          {"consumers", row.consumers},
          {"strength", row.strength},
          {"error_before", number(row.error_before)},
          {"error_after", number(row.error_after)},
          {"channels", row.channels},
          {"channels_scaled", row.channels_scaled},
          {"channels_fixed", row.channels_fixed},
          {"bound", row.bound},
          {"dead_channels", row.dead_channels},
          {"absorbed_channels", row.absorbed_channels}};
}

template <typename Row, typename Function>
Json list_json(const std::vector<Row>& rows, const Function& convert) {
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(convert(row));
  return list;
}

Json training_json(const TrainingSection& training) {
  return {{"metric", training.metric},         {"loss", training.loss},
          {"optimizer", training.optimizer},   {"epochs", training.epochs},
          {"best_epoch", training.best_epoch}, {"parameters", training.parameters},
          {"ranges", training.ranges},         {"resumed_step", training.resumed_step},
          {"stopped", training.stopped},       {"curve", list_json(training.curve, epoch_json)}};
}

template <typename Value>
Json object_json(const std::vector<std::pair<std::string, Value>>& members) {
  Json object = Json::object();
  for (const auto& [name, value] : members) object[name] = value;
  return object;
}

}  // namespace

Json report_json(const QuantizeReport& report, const Json& header) {
  Json json = header;
  json["model"] = report.model;
  json["soc"] = report.soc;
  json["htp_arch"] = report.htp_arch;
  json["summary"] = summary_json(report.summary);
  json["layers"] = list_json(report.layers, layer_json);
  json["activations"] = list_json(report.activations, activation_json);
  json["rounding"] = list_json(report.rounding, rounding_json);
  if (!report.equalization.empty()) {
    json["equalization"] = list_json(report.equalization, equalization_json);
  }
  json["passes"] = object_json(report.passes);
  json["files"] = object_json(report.file_bytes);
  json["performance"] = performance_json(report.performance);
  if (!report.rungs.empty()) json["rungs"] = list_json(report.rungs, rung_json);
  if (!report.training.curve.empty()) json["training"] = training_json(report.training);
  json["weight_bytes"] = {{"float", report.float_weight_bytes},
                          {"quantized", report.quantized_weight_bytes}};
  json["samples"] = report.samples;
  json["findings"] = findings_json(report.findings);
  json["recipe"] = report.recipe;
  json["seconds"] = object_json(report.seconds);
  json["peak_rss_bytes"] = report.peak_rss_bytes;
  json["threads"] = report.threads;
  return json;
}

}  // namespace hexquant::report
