#pragma once

#include <limits>
#include <string>
#include <vector>

#include "report/report.h"

namespace hexquant::report::test {

inline const Json kHeader = {{"schema", "hexquant-report-1"},
                             {"command", "quantize"},
                             {"versions", {{"hexquant", "0.0.0"}}}};

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A layer that every step improved, and one that nothing was refined behind.
inline std::vector<RoundingRow> rounding_rows() {
  RoundingRow conv;
  conv.layer = "conv";
  conv.weight = "conv.weight";
  conv.min_max_db = 20.0;
  conv.clip_search_db = 22.0;
  conv.gptq_db = 26.0;
  conv.result_db = 26.5;
  conv.clamped_before_db = 24.0;
  conv.clamped_result_db = 25.0;
  conv.bias_shift = 0.03;
  conv.sweeps = 3;
  conv.positions = 8192;
  RoundingRow gemm;
  gemm.layer = "gemm";
  gemm.weight = "gemm.weight";
  gemm.min_max_db = 30.0;
  gemm.clip_search_db = gemm.gptq_db = gemm.result_db = kInfinity;
  return {conv, gemm};
}

/// A group that was scaled, and one that was not even measured.
inline std::vector<EqualizationRow> equalization_rows() {
  EqualizationRow scaled;
  scaled.producers = {"conv"};
  scaled.consumers = {"add", "gemm"};
  scaled.strength = 0.5;
  scaled.error_before = 0.1;
  scaled.error_after = 0.01;
  scaled.channels = 8;
  scaled.channels_scaled = 7;
  scaled.bound = "observed";
  EqualizationRow alone;
  alone.producers = {"stem"};
  alone.consumers = {"conv"};
  alone.error_before = alone.error_after = kNan;
  alone.channels = 4;
  alone.bound = "none";
  return {scaled, alone};
}

/// Two layers (one without weights), one activation with a histogram, one finding, and rows of
/// every weight method.
inline QuantizeReport small_report() {
  QuantizeReport report;
  report.model = "folder/net.onnx";
  report.soc = "SM8650";
  report.htp_arch = "v75";
  report.recipe = {
      {"weight_bits", 4}, {"act_bits", 8}, {"algorithms", {"cle", "adaptive-rounding"}}};
  report.summary.metric = "top1";
  report.summary.fp32 = {{"top1", 0.9}, {"value", 0.9}};
  report.summary.quantized = {{"top1", 0.875}, {"value", 0.875}};
  report.summary.sqnr_db = 31.5;
  report.summary.cosine = 0.999;
  report.summary.agreement = 0.98;
  report.summary.samples = 394;
  report.summary.interval = {-0.03, 0.01};
  LayerRow conv;
  conv.name = "conv";
  conv.op = "Conv";
  conv.weight_bits = 8;
  conv.requested_weight_bits = 4;
  conv.act_bits = 16;
  conv.requested_act_bits = 8;
  conv.granularity = Granularity::kChannel;
  conv.reason = "3x3 kernel";
  conv.output = "y";
  conv.sqnr_db = 28.0;
  conv.weight_sqnr_db = 40.0;
  conv.parameters = 9;
  LayerRow add;
  add.name = "add";
  add.op = "Add";
  add.act_bits = 16;
  add.requested_act_bits = 8;
  add.sqnr_db = kInfinity;
  add.weight_sqnr_db = kNan;
  report.layers = {conv, add};
  ActivationRow activation;
  activation.tensor = "y";
  activation.type = "uint8";
  activation.observed_min = -1.0F;
  activation.observed_max = 1.0F;
  activation.range_min = -0.5;
  activation.range_max = 0.5;
  activation.scale = 0.5F;
  activation.zero_point = 1;
  activation.clipped_fraction = 0.25;
  activation.histogram.exponent = -1;
  activation.histogram.first_bin = -2;
  activation.histogram.counts = {1, 2, 3, 4};
  report.activations = {activation};
  report.rounding = rounding_rows();
  report.equalization = equalization_rows();
  report.passes = {{"fold_pad", 2}};
  report.seconds = {{"total", 1.5}};
  report.file_bytes = {{"model.onnx", 100}};
  report.findings = {{"stays-float", Severity::kWarning, "loop", "has no integer form", "unroll"}};
  return report;
}

/// One layer as `analyze` says it.
inline Json predicted_layer() {
  return {{"name", "conv"},
          {"nodes", Json::array({"conv"})},
          {"op", "Conv"},
          {"kind", "convolution"},
          {"placement", "npu-integer"},
          {"weight_bits", 8},
          {"act_bits", 8},
          {"macs", 1000000},
          {"ops", 2000000},
          {"bytes", 40000},
          {"weight_bytes", 10000},
          {"input_bytes", 15000},
          {"output_bytes", 15000},
          {"intensity", 50.0},
          {"bound", "compute"},
          {"time_us", 3.0},
          {"lower_us", 2.0},
          {"upper_us", 4.0},
          {"share", 1.0},
          {"cumulative", 1.0},
          {"utilization", 0.5},
          {"start_us", 0.0},
          {"end_us", 3.0},
          {"matrix_cycles", 2000},
          {"vector_cycles", 0},
          {"dma_cycles", 500},
          {"ddr_read_bytes", 10000},
          {"ddr_write_bytes", 0},
          {"vtcm_bytes", 40000}};
}

/// What `analyze` says of a model of that one layer.
inline Json prediction() {
  const Json advice = {{"id", "float-borders"},
                       {"severity", "info"},
                       {"where", ""},
                       {"reason", "re-laid"},
                       {"fix", "take uint8"},
                       {"saves_us", 1.25},
                       {"keeps_numbers", true},
                       {"command", "optimize net.onnx"},
                       {"nodes", Json::array({"x"})}};
  return {{"total", {{"time_us", 3.0}}},
          {"machine",
           {{"peak_tops_int8", 34.0}, {"ddr_gb_per_s", 50.0}, {"ridge_ops_per_byte", 680.0}}},
          {"vtcm", {{"size_bytes", 8388608}, {"over_time", {{0.0, 40000}, {3.0, 0}}}}},
          {"layers", Json::array({predicted_layer()})},
          {"findings", Json::array({advice})}};
}

/// A candidate of a sensitivity table.
inline Json sensitivity_candidate(const char* kind, int weight_bits, int act_bits, double loss,
                                  double sqnr_db) {
  return {{"kind", kind},         {"weight_bits", weight_bits},
          {"act_bits", act_bits}, {"metric", 0.9 - loss},
          {"loss", loss},         {"sqnr_db", sqnr_db},
          {"exact", false},       {"kl", 0.01},
          {"cosine", 0.99},       {"agreement", 0.95}};
}

/// Two layers at two widths each, the second the worse, and a block of both.
inline Json sensitivity() {
  const auto layer = [](const char* name, double loss, double sqnr_db) -> Json {
    return {{"name", name},
            {"op", "Conv"},
            {"weight", "w"},
            {"output", "y"},
            {"block", 0},
            {"candidates", Json::array({sensitivity_candidate("weights", 4, 32, loss, sqnr_db),
                                        sensitivity_candidate("activation", 32, 8, 0.0, 50.0)})}};
  };
  const Json block = {
      {"name", "stem .. conv"},
      {"layers", Json::array({"stem", "conv"})},
      {"candidates", Json::array({sensitivity_candidate("both", 8, 8, 0.03, 25.0)})}};
  return {{"model", "net.onnx"},
          {"metric", "top1"},
          {"samples", 64},
          {"baseline", {{"top1", 0.9}}},
          {"layers", Json::array({layer("stem", 0.01, 31.0), layer("conv", 0.02, 22.0)})},
          {"blocks", Json::array({block})}};
}

inline Json search_point(const char* name, double time_us, double metric, bool on_front) {
  return {{"name", name},
          {"predicted_us", time_us},
          {"lower_us", time_us - 1},
          {"upper_us", time_us + 1},
          {"ddr_bytes", 1000},
          {"converts", 0},
          {"raised_weight_share", 0.25},
          {"metric", metric},
          {"loss", 0.9 - metric},
          {"sqnr_db", 25.0},
          {"on_front", on_front},
          {"vendor", nullptr},
          {"layer_bits", Json::array({"conv=w16a16"})}};
}

/// A search of mixed precision that evaluated four models and chose the second.
inline Json search() {
  return {{"metric", "top1"},
          {"reference", 0.9},
          {"max_loss", 0.01},
          {"max_latency_us", 20.0},
          {"meets_target", true},
          {"chosen", 1},
          {"points", Json::array({search_point("base", 10.0, 0.85, true),
                                  search_point("greedy 1 of 2", 11.0, 0.895, true),
                                  search_point("odd", 12.0, 0.88, false),
                                  search_point("all", 15.0, 0.9, true)})},
          {"final", {{"kept_back", {{"samples", 300}, {"loss", 0.0125}}}}}};
}

inline Json check_item(const char* id, const char* status, const char* figure, const char* fix) {
  return {{"id", id},
          {"group", "accuracy"},
          {"title", std::string("Line ") + id},
          {"status", status},
          {"figure", figure},
          {"threshold", "> 30 dB"},
          {"reason", "because of " + std::string(id)},
          {"fix", fix}};
}

/// One line of each kind.
inline Json checklist() {
  return {{"folder", "out"},
          {"passed", 1},
          {"failed", 1},
          {"not_measured", 1},
          {"thresholds", Json::object()},
          {"items", Json::array({check_item("cosine", "pass", "0.999", ""),
                                 check_item("sqnr", "fail", "24.0 dB", "hexquant auto -o OTHER"),
                                 check_item("metric", "not measured", "", "hexquant check out")})}};
}

/// A report with every section that a page can have.
inline QuantizeReport full_report() {
  QuantizeReport report = small_report();
  report.analysis = prediction();
  report.sensitivity = sensitivity();
  report.search = search();
  report.checklist = checklist();
  report.rungs = {{.method = "ptq",
                   .reason = "ranges",
                   .metric = "top1",
                   .value = 0.85,
                   .loss = 0.05,
                   .predicted_us = 10.0,
                   .seconds = 1.0},
                  {.method = "mixed precision",
                   .reason = "ptq loses 0.05",
                   .metric = "top1",
                   .value = 0.895,
                   .loss = 0.005,
                   .meets_target = true,
                   .chosen = true,
                   .predicted_us = 11.0,
                   .seconds = 9.0}};
  report.training.metric = "top1";
  report.training.loss = "distillation";
  report.training.optimizer = "adam";
  report.training.best_epoch = 1;
  report.training.curve = {{.epoch = 0, .loss = kNan, .value = 0.85},
                           {.epoch = 1, .steps = 8, .loss = 0.4, .value = 0.89, .is_best = true}};
  return report;
}

}  // namespace hexquant::report::test
