#include "pipeline/analyze_json.h"

#include <cmath>
#include <string>

#include "core/finding_json.h"
#include "core/peak_memory.h"

namespace hexquant::pipeline {
namespace {

double nanoseconds(double us) {
  return std::round(us * 1000.0) / 1000.0;
}

Json figure_json(const target::Figure& figure) {
  if (!figure.value) return nullptr;
  return {{"value", *figure.value}, {"source", figure.source}};
}

Json chip_json(const target::Soc& soc) {
  return {{"name", soc.name},
          {"soc_model", soc.soc_model},
          {"htp_arch", soc.htp_arch},
          {"description", soc.description},
          {"vtcm_default_mb", figure_json(soc.vtcm_default_mb)},
          {"vtcm_max_mb", figure_json(soc.vtcm_max_mb)},
          {"tops_int8", figure_json(soc.tops_int8)},
          {"ddr_theoretical_gb_per_s", figure_json(soc.ddr_theoretical_gb_per_s)},
          {"ddr_effective_gb_per_s", figure_json(soc.ddr_effective_gb_per_s)},
          {"clock_mhz", figure_json(soc.clock_mhz)},
          {"l2_mb", figure_json(soc.l2_mb)}};
}

Json machine_json(const perf::Prediction& prediction) {
  const double peak = prediction.peak_ops_per_us;
  const double bandwidth = prediction.ddr_bytes_per_us;
  return {{"clock_mhz", prediction.clock_mhz},
          {"peak_tops_int8", peak / 1e6},
          {"ddr_gb_per_s", bandwidth / 1e3},
          {"ridge_ops_per_byte", bandwidth > 0.0 ? peak / bandwidth : 0.0}};
}

Json total_json(const Analysis& analysis) {
  const perf::Prediction& prediction = analysis.prediction;
  const double ops = 2.0 * static_cast<double>(prediction.macs);
  const double roof = prediction.peak_ops_per_us * prediction.time_us.value;
  return {{"time_us", nanoseconds(prediction.time_us.value)},
          {"lower_us", nanoseconds(prediction.time_us.lower)},
          {"upper_us", nanoseconds(prediction.time_us.upper)},
          {"boundary_us", nanoseconds(prediction.boundary_us)},
          {"call_overhead_us", nanoseconds(prediction.call_overhead_us)},
          {"ddr_bytes", prediction.ddr_bytes},
          {"vtcm_peak_bytes", prediction.vtcm.peak_bytes},
          {"spill_bytes", prediction.vtcm.spill_bytes},
          {"fill_bytes", prediction.vtcm.fill_bytes},
          {"macs", prediction.macs},
          {"operations", analysis.workload.operations.size()},
          {"utilization", roof > 0.0 ? ops / roof : 0.0}};
}

/// Bytes of the tensors that an operation reads or writes, constants or values.
std::int64_t bytes_of(const perf::Workload& work, const std::vector<int>& tensors, bool constants) {
  std::int64_t total = 0;
  for (const int index : tensors) {
    const perf::WorkTensor& tensor = work.tensors[static_cast<std::size_t>(index)];
    if (tensor.is_constant == constants) total += tensor.bytes();
  }
  return total;
}

Json layer_json(const Analysis& analysis, std::size_t index, double cumulative_us) {
  const perf::Operation& operation = analysis.workload.operations[index];
  const perf::OperationCost& cost = analysis.prediction.operations[index];
  const double whole = analysis.prediction.time_us.value;
  const std::int64_t weights = bytes_of(analysis.workload, operation.inputs, true);
  const std::int64_t inputs = bytes_of(analysis.workload, operation.inputs, false);
  const std::int64_t outputs = bytes_of(analysis.workload, operation.outputs, false);
  const std::int64_t bytes = weights + inputs + outputs;
  const double ops = 2.0 * static_cast<double>(operation.macs);
  return {{"name", operation.name},
          {"op", operation.op},
          {"nodes", operation.nodes},
          {"kind", perf::work_kind_name(operation.kind)},
          {"placement", target::unit_name(operation.unit)},
          {"act_bits", operation.act_bits},
          {"weight_bits", operation.weight_bits},
          {"macs", operation.macs},
          {"ops", ops},
          {"bytes", bytes},
          {"weight_bytes", weights},
          {"input_bytes", inputs},
          {"output_bytes", outputs},
          {"ddr_read_bytes", cost.ddr_read_bytes},
          {"ddr_write_bytes", cost.ddr_write_bytes},
          {"vtcm_bytes", cost.vtcm_bytes},
          {"intensity", bytes > 0 ? ops / static_cast<double>(bytes) : 0.0},
          {"bound", perf::bound_name(cost.bound)},
          {"time_us", nanoseconds(cost.time_us.value)},
          {"lower_us", nanoseconds(cost.time_us.lower)},
          {"upper_us", nanoseconds(cost.time_us.upper)},
          {"share", whole > 0.0 ? cost.time_us.value / whole : 0.0},
          {"cumulative", whole > 0.0 ? cumulative_us / whole : 0.0},
          {"utilization", cost.utilization},
          {"matrix_cycles", std::round(cost.matrix_cycles)},
          {"vector_cycles", std::round(cost.vector_cycles)},
          {"dma_cycles", std::round(cost.dma_cycles)},
          {"start_us", nanoseconds(cost.start_us)},
          {"end_us", nanoseconds(cost.end_us)}};
}

Json vtcm_json(const perf::VtcmSummary& vtcm) {
  Json over_time = Json::array();
  for (const perf::VtcmUse& use : vtcm.over_time) {
    over_time.push_back({nanoseconds(use.start_us), use.bytes});
  }
  return {{"size_bytes", vtcm.size_bytes},        {"peak_bytes", vtcm.peak_bytes},
          {"utilization", vtcm.mean_utilization}, {"spill_bytes", vtcm.spill_bytes},
          {"fill_bytes", vtcm.fill_bytes},        {"over_time", over_time}};
}

Json error_json(const perf::ModelError& error) {
  return {{"htp_arch", error.htp_arch},
          {"reference", "the vendor's performance estimates, not a device"},
          {"vendor_version", error.vendor_version},
          {"micro_cases", error.micro_cases},
          {"median", error.median_error},
          {"percentile90", error.percentile90_error},
          {"networks", error.networks},
          {"worst_network", error.worst_network_error}};
}

}  // namespace

Json to_json(const Analysis& analysis) {
  Json json;
  json["soc"] = analysis.soc.name;
  json["chip"] = chip_json(analysis.soc);
  json["machine"] = machine_json(analysis.prediction);
  json["is_measurement"] = false;
  json["was_float"] = analysis.was_float;
  json["total"] = total_json(analysis);
  json["model_error"] = error_json(analysis.error);
  json["layers"] = Json::array();
  double cumulative_us = 0.0;
  for (std::size_t i = 0; i < analysis.workload.operations.size(); ++i) {
    cumulative_us += analysis.prediction.operations[i].time_us.value;
    json["layers"].push_back(layer_json(analysis, i, cumulative_us));
  }
  json["vtcm"] = vtcm_json(analysis.prediction.vtcm);
  json["seconds"] = Json::object();
  for (const auto& [step, seconds] : analysis.seconds) json["seconds"][step] = seconds;
  json["peak_rss_bytes"] = peak_memory_bytes();
  return json;
}

Json findings_json(const Analysis& analysis, const std::vector<perf::Advice>& advice) {
  Json findings = Json::array();
  for (const perf::Advice& entry : advice) {
    findings.push_back({{"id", entry.id},
                        {"severity", "info"},
                        {"where", entry.nodes.empty() ? "" : entry.nodes.front()},
                        {"nodes", entry.nodes},
                        {"reason", entry.reason},
                        {"fix", entry.fix},
                        {"command", entry.command},
                        {"keeps_numbers", entry.keeps_numbers},
                        {"saves_us", nanoseconds(entry.saves_us)}});
  }
  for (Json finding : hexquant::findings_json(analysis.findings)) {
    finding["saves_us"] = nullptr;
    findings.push_back(std::move(finding));
  }
  return findings;
}

Json to_json(const std::vector<WhatIf>& rows, const Analysis& now) {
  Json json = Json::array();
  for (const WhatIf& row : rows) {
    Json entry = {{"change", row.change}, {"problem", nullptr}};
    if (!row.problem.empty()) {
      entry["problem"] = row.problem;
    } else {
      entry.update({{"time_us", nanoseconds(row.time_us.value)},
                    {"lower_us", nanoseconds(row.time_us.lower)},
                    {"upper_us", nanoseconds(row.time_us.upper)},
                    {"saves_us", nanoseconds(now.prediction.time_us.value - row.time_us.value)},
                    {"ddr_bytes", row.ddr_bytes},
                    {"spill_bytes", row.spill_bytes},
                    {"vtcm_peak_bytes", row.vtcm_peak_bytes}});
    }
    json.push_back(std::move(entry));
  }
  return json;
}

}  // namespace hexquant::pipeline
