#include <cmath>

#include "core/finding_json.h"
#include "pipeline/net_run.h"

namespace hexquant::pipeline {
namespace {

double rounded(double microseconds) {
  return std::round(microseconds * 1e3) / 1e3;
}

Json latency_json(const runtime::Latency& latency) {
  Json counts = Json::array();
  for (const std::int64_t count : latency.histogram.counts) counts.push_back(count);
  return {{"count", latency.count},
          {"mean_us", rounded(latency.mean_us)},
          {"median_us", rounded(latency.median_us)},
          {"p90_us", rounded(latency.p90_us)},
          {"p99_us", rounded(latency.p99_us)},
          {"min_us", rounded(latency.min_us)},
          {"max_us", rounded(latency.max_us)},
          {"per_second", latency.per_second},
          {"first_tenth_us", rounded(latency.first_tenth_us)},
          {"last_tenth_us", rounded(latency.last_tenth_us)},
          {"drift", latency.drift},
          {"histogram",
           {{"lower_us", rounded(latency.histogram.lower_us)},
            {"width_us", rounded(latency.histogram.width_us)},
            {"counts", std::move(counts)}}}};
}

Json machine_json(const MachineState& state) {
  Json zones = Json::array();
  for (const ThermalZone& zone : state.thermal) {
    zones.push_back({{"name", zone.name}, {"celsius", zone.celsius}});
  }
  return {{"cpu_mhz", state.cpu_mhz ? Json(*state.cpu_mhz) : Json()},
          {"thermal", std::move(zones)},
          {"resident_bytes", state.resident_bytes}};
}

Json copies_json(const std::optional<CopyComparison>& copies) {
  if (!copies) return nullptr;
  return {{"backend", copies->backend},
          {"bytes", copies->bytes},
          {"shared_us", rounded(copies->shared_us)},
          {"copied_us", rounded(copies->copied_us)}};
}

}  // namespace

Json to_json(const NetRunResult& result) {
  Json mappings = Json::array();
  for (const Mapping& mapping : result.mappings) {
    mappings.push_back({{"option", mapping.option},
                        {"given", mapping.given},
                        {"used", mapping.used},
                        {"reason", mapping.reason}});
  }
  Json folders = Json::array();
  for (const auto& folder : result.folders) folders.push_back(folder.string());
  return {
      {"model", result.model},
      {"device", result.device},
      {"soc", result.soc.empty() ? Json() : Json(result.soc)},
      {"quantized", result.is_quantized},
      {"mappings", std::move(mappings)},
      {"sets", result.sets},
      {"input_bytes", result.inputs_bytes},
      {"load_seconds", result.load_seconds},
      {"seconds", result.runs.seconds},
      {"latency", latency_json(result.latency)},
      {"warmup", latency_json(result.warmup)},
      {"stability",
       {{"compared", result.latency.count},
        {"differing", result.runs.differing},
        {"first_differing", result.runs.first_differing},
        {"memory_growth_bytes", result.runs.memory_growth_bytes()}}},
      {"machine",
       {{"before", machine_json(result.runs.before)}, {"after", machine_json(result.runs.after)}}},
      {"shared_buffer", copies_json(result.copies)},
      {"peak_memory_bytes", result.peak_memory_bytes},
      {"outputs", std::move(folders)},
      {"profile", result.profile ? Json(result.profile->string()) : Json()},
      {"findings", findings_json(result.findings)}};
}

}  // namespace hexquant::pipeline
