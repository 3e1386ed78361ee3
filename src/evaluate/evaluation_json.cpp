#include <cmath>

#include "evaluate/compare_layers.h"
#include "evaluate/evaluate_models.h"

namespace hexquant::evaluate {
namespace {

/// JSON has no infinities: they, and NaN, become null ("exact" tells them apart).
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json metrics_json(const std::map<std::string, double>& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = number(value);
  return json;
}

void add_difference(const Difference& difference, Json& json) {
  json["sqnr_db"] = number(difference.sqnr_db());
  json["exact"] = difference.is_exact();
  json["cosine"] = number(difference.cosine());
  json["mse"] = number(difference.mse());
  json["max_abs"] = number(difference.max_abs);
  json["elements"] = difference.count;
  json["non_finite"] = difference.non_finite;
}

Json interval_json(const std::optional<Interval>& interval) {
  if (!interval) return nullptr;
  return Json::array({interval->low, interval->high});
}

Json model_json(const ModelScore& score, const char* role) {
  Json json;
  json["model"] = score.model;
  json["role"] = role;
  json["metrics"] = metrics_json(score.metrics);
  json["ms_per_sample"] = number(score.ms_per_sample);
  return json;
}

void add_comparison(const CandidateScore& candidate, Json& json) {
  json["loss"] = number(candidate.loss);
  json["difference_interval"] = interval_json(candidate.difference_interval);
  json["agreement"] = number(candidate.agreement);
  json["kl"] = number(candidate.kl);
  add_difference(candidate.outputs, json);
}

Json candidate_json(const CandidateScore& candidate) {
  Json json = model_json(candidate.score, "candidate");
  add_comparison(candidate, json);
  json["outputs"] = Json::array();
  for (const TensorDifference& output : candidate.per_output) {
    Json row;
    row["name"] = output.name;
    add_difference(output.difference, row);
    json["outputs"].push_back(std::move(row));
  }
  if (candidate.against_cpu) {
    json["against_cpu"]["agreement"] = number(candidate.against_cpu->agreement);
    add_difference(candidate.against_cpu->outputs, json["against_cpu"]);
  }
  return json;
}

/// The members report.json has too: the reference against the first candidate.
Json summary_json(const EvaluationResult& result) {
  Json json;
  json["metric"] = result.metric;
  json["samples"] = result.samples;
  json["fp32"] = metrics_json(result.reference.metrics);
  if (result.candidates.empty()) {
    json["quantized"] = nullptr;
    return json;
  }
  json["quantized"] = metrics_json(result.candidates.front().score.metrics);
  add_comparison(result.candidates.front(), json);
  return json;
}

}  // namespace

Json to_json(const EvaluationResult& result) {
  Json json;
  json["metric"] = result.metric;
  json["samples"] = result.samples;
  json["seconds"] = number(result.seconds);
  json["summary"] = summary_json(result);
  json["models"] = Json::array({model_json(result.reference, "reference")});
  for (const CandidateScore& candidate : result.candidates) {
    json["models"].push_back(candidate_json(candidate));
  }
  return json;
}

Json to_json(const std::vector<LayerDifference>& layers) {
  Json json = Json::array();
  for (const LayerDifference& layer : layers) {
    Json row;
    row["tensor"] = layer.tensor;
    row["quantized_tensor"] = layer.quantized;
    row["node"] = layer.node;
    row["op"] = layer.op;
    add_difference(layer.difference, row);
    json.push_back(std::move(row));
  }
  return json;
}

}  // namespace hexquant::evaluate
