#pragma once

#include <limits>
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

}  // namespace hexquant::report::test
