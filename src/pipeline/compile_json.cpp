#include "pipeline/compile_json.h"

#include "core/finding_json.h"

namespace hexquant::pipeline {
namespace {

Json shapes_json(const std::map<std::string, Shape>& shapes) {
  Json json = Json::object();
  for (const auto& [name, shape] : shapes) json[name] = shape;
  return json;
}

/// "summary" counts the nodes of each unit, conversions at the borders apart.
Json placement_json(const target::PlacementReport& report) {
  Json json;
  Json summary = {
      {"npu-integer", 0}, {"npu-float", 0}, {"cpu", 0}, {"folded", 0}, {"border-conversions", 0}};
  Json nodes = Json::array();
  for (const target::Placement& node : report.nodes) {
    const char* unit = target::unit_name(node.unit);
    const char* counter = is_border_conversion(node) ? "border-conversions" : unit;
    summary[counter] = summary[counter].get<int>() + 1;
    nodes.push_back({{"name", node.node},
                     {"op", node.op_type},
                     {"unit", unit},
                     {"reason", node.reason},
                     {"fix", node.fix}});
  }
  Json rejections = Json::array();
  for (const target::Rejection& node : report.rejections) {
    rejections.push_back(
        {{"name", node.node}, {"op", node.op_type}, {"reason", node.reason}, {"fix", node.fix}});
  }
  json["summary"] = std::move(summary);
  json["rejections"] = std::move(rejections);
  json["nodes"] = std::move(nodes);
  return json;
}

/// Nodes on which the rules and the vendor's compiler disagree.
Json disagreements_json(const CompileResult& result) {
  Json list = Json::array();
  for (const target::Placement& node : result.placement.nodes) {
    const target::Placement* predicted = result.predicted.find(node.node);
    if (predicted == nullptr || predicted->unit == node.unit) continue;
    list.push_back({{"name", node.node},
                    {"op", node.op_type},
                    {"unit", target::unit_name(node.unit)},
                    {"predicted", target::unit_name(predicted->unit)}});
  }
  return list;
}

Json soc_json(const target::Soc& soc) {
  return {{"name", soc.name}, {"soc_model", soc.soc_model}, {"htp_arch", soc.htp_arch}};
}

}  // namespace

Json to_json(const std::string& model, const CompileResult& result) {
  Json json;
  json["model"] = model;
  json["soc"] = soc_json(result.soc);
  json["compiled"] = !result.failure.has_value();
  json["failure"] = nullptr;
  if (result.failure) {
    json["failure"] = {{"kind", runtime::htp_failure_name(result.failure->kind)},
                       {"reason", result.failure->reason}};
  }
  json["input_shapes"] = shapes_json(result.input_shapes);
  json["vtcm_mb"] = result.vtcm_mb;
  json["optimization"] = result.optimization;
  json["seconds"] = result.seconds;
  json["peak_memory_bytes"] = result.peak_memory_bytes;
  json["files"] = Json::array();
  for (const CompiledFile& file : result.files) {
    json["files"].push_back({{"path", file.path.string()}, {"bytes", file.bytes}});
  }
  const std::optional<std::int64_t> spill_fill = result.spill_fill_bytes();
  json["spill_fill_bytes"] = spill_fill ? Json(*spill_fill) : Json(nullptr);
  json["placement"] = placement_json(result.placement);
  json["disagreements"] = disagreements_json(result);
  json["estimate"] = nullptr;
  if (result.estimate) json["estimate"] = to_json(*result.estimate);
  json["findings"] = findings_json(result.findings);
  return json;
}

Json to_json(const std::string& model, const PlacementPrediction& prediction) {
  Json json;
  json["model"] = model;
  json["soc"] = soc_json(prediction.soc);
  json["placement"] = placement_json(prediction.placement);
  json["findings"] = findings_json(prediction.placement.findings);
  return json;
}

}  // namespace hexquant::pipeline
