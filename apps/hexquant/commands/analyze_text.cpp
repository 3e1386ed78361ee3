#include "commands/analyze_text.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cli/table.h"
#include "core/format.h"

namespace hexquant::cli {
namespace {

constexpr double kMegabyte = 1e6;
constexpr double kBinaryMegabyte = 1024.0 * 1024.0;
constexpr double kBarWidth = 24.0;

std::string bar(double share, double longest) {
  const double length = longest > 0.0 ? kBarWidth * share / longest : 0.0;
  return std::string(static_cast<std::size_t>(std::lround(length)), '#');
}

std::string estimate_text(const perf::Estimate& estimate) {
  return format("{:.1f} us ({:.1f} to {:.1f})", estimate.value, estimate.lower, estimate.upper);
}

std::string figure_text(const target::Figure& figure, const char* unit) {
  if (!figure.value) return "unknown";
  return format("{:g} {} ({})", *figure.value, unit, figure.source);
}

std::string chip_text(const pipeline::Analysis& analysis) {
  const target::Soc& soc = analysis.soc;
  const perf::Prediction& prediction = analysis.prediction;
  std::string text =
      format("chip         {} ({}, HTP {}): clock {}, VTCM {}\n", soc.name, soc.description,
             soc.htp_arch, figure_text(soc.clock_mhz, "MHz"), figure_text(soc.vtcm_max_mb, "MB"));
  text += format("             DDR theoretical {}, effective {}\n",
                 figure_text(soc.ddr_theoretical_gb_per_s, "GB/s"),
                 figure_text(soc.ddr_effective_gb_per_s, "GB/s"));
  text += format(
      "assumed      {:.0f} MHz, {:.1f} TOPS int8, {:.1f} GB/s: ridge point {:.0f} "
      "operations a byte\n",
      prediction.clock_mhz, prediction.peak_ops_per_us / 1e6, prediction.ddr_bytes_per_us / 1e3,
      prediction.ddr_bytes_per_us > 0.0 ? prediction.peak_ops_per_us / prediction.ddr_bytes_per_us
                                        : 0.0);
  return text;
}

std::string totals_text(const pipeline::Analysis& analysis) {
  const perf::Prediction& prediction = analysis.prediction;
  const perf::VtcmSummary& vtcm = prediction.vtcm;
  std::string text = format("time         {}, an estimate; {:.1f} us of it at the borders\n",
                            estimate_text(prediction.time_us), prediction.boundary_us);
  text += format("             a call from the host adds about {:.0f} us\n",
                 prediction.call_overhead_us);
  text += format("work         {:.1f} M multiply-accumulates in {} operations\n",
                 static_cast<double>(prediction.macs) / 1e6, analysis.workload.operations.size());
  text += format("DDR          {:.2f} MB an inference\n",
                 static_cast<double>(prediction.ddr_bytes) / kMegabyte);
  text += format(
      "VTCM         peak {:.2f} of {:.0f} MB, {} used on average; spill {:.2f} MB, fill "
      "{:.2f} MB\n",
      static_cast<double>(vtcm.peak_bytes) / kBinaryMegabyte,
      static_cast<double>(vtcm.size_bytes) / kBinaryMegabyte, percent_text(vtcm.mean_utilization),
      static_cast<double>(vtcm.spill_bytes) / kMegabyte,
      static_cast<double>(vtcm.fill_bytes) / kMegabyte);
  const perf::ModelError& error = analysis.error;
  text += format(
      "how sure     against the vendor's estimates (HTP {}): median error {}, 9 of 10 "
      "within {} on {} cases kept out of the fit; {} networks within {}\n",
      error.htp_arch, percent_text(error.median_error), percent_text(error.percentile90_error),
      error.micro_cases, error.networks, percent_text(error.worst_network_error));
  return text;
}

/// Share of the time by what bounds it.
std::string bounds_text(const pipeline::Analysis& analysis) {
  std::vector<std::pair<double, perf::Bound>> shares;
  for (const perf::Bound bound :
       {perf::Bound::kCompute, perf::Bound::kVector, perf::Bound::kBandwidth,
        perf::Bound::kOverhead, perf::Bound::kCpu}) {
    double time_us = 0.0;
    for (const perf::OperationCost& cost : analysis.prediction.operations) {
      if (cost.bound == bound) time_us += cost.time_us.value;
    }
    if (time_us > 0.0) shares.emplace_back(time_us / analysis.prediction.time_us.value, bound);
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> parts;
  for (const auto& [share, bound] : shares) {
    parts.push_back(format("{} {}", bound_name(bound), percent_text(share)));
  }
  return format("bound by     {}\n", join(parts, ", "));
}

std::vector<std::string> layer_cells(const pipeline::Analysis& analysis, std::size_t index,
                                     double longest_us, double cumulative_us) {
  const perf::Operation& operation = analysis.workload.operations[index];
  const perf::OperationCost& cost = analysis.prediction.operations[index];
  const double whole_us = analysis.prediction.time_us.value;
  std::int64_t bytes = 0;
  for (const std::vector<int>* side : {&operation.inputs, &operation.outputs}) {
    for (const int tensor : *side) {
      bytes += analysis.workload.tensors[static_cast<std::size_t>(tensor)].bytes();
    }
  }
  const double ops = 2.0 * static_cast<double>(operation.macs);
  const std::string bits = operation.weight_bits > 0
                               ? format("w{}a{}", operation.weight_bits, operation.act_bits)
                               : format("a{}", operation.act_bits);
  return {operation.name,
          operation.op,
          bits,
          format("{:.2f}", static_cast<double>(operation.macs) / 1e6),
          format("{:.1f}", static_cast<double>(bytes) / 1e3),
          bytes > 0 ? format("{:.0f}", ops / static_cast<double>(bytes)) : "-",
          bound_name(cost.bound),
          percent_text(cost.utilization),
          format("{:.2f}", cost.time_us.value),
          percent_text(whole_us > 0.0 ? cost.time_us.value / whole_us : 0.0),
          percent_text(whole_us > 0.0 ? cumulative_us / whole_us : 0.0),
          bar(cost.time_us.value, longest_us)};
}

std::string layers_text(const pipeline::Analysis& analysis, std::size_t limit) {
  const std::vector<perf::OperationCost>& costs = analysis.prediction.operations;
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  double longest_us = 0.0;
  for (const perf::OperationCost& cost : costs) {
    longest_us = std::max(longest_us, cost.time_us.value);
  }
  if (limit > 0) {
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return costs[a].time_us.value > costs[b].time_us.value;
    });
  }
  const std::size_t shown = limit > 0 ? std::min(limit, order.size()) : order.size();
  std::vector<std::vector<std::string>> rows;
  double cumulative_us = 0.0;
  for (std::size_t i = 0; i < shown; ++i) {
    cumulative_us += costs[order[i]].time_us.value;
    rows.push_back(layer_cells(analysis, order[i], longest_us, cumulative_us));
  }
  std::string text = table_text(
      {"layer", "op", "bits", "MMAC", "kB", "ops/B", "bound", "used", "us", "share", "sum", ""},
      rows);
  if (shown < order.size()) {
    text += format("... {} more: --top 0, or --json\n", order.size() - shown);
  }
  return text;
}

}  // namespace

std::string analysis_text(const std::string& model, const pipeline::Analysis& analysis,
                          std::size_t rows) {
  std::string text = model + (analysis.was_float ? " (float: as it would be quantized)\n" : "\n");
  text += chip_text(analysis) + totals_text(analysis) + bounds_text(analysis);
  return text + "\n" + layers_text(analysis, rows);
}

std::string advice_text(const std::vector<perf::Advice>& advice) {
  std::string text;
  for (const perf::Advice& entry : advice) {
    text += format("saves {:.1f} us  {}\n", entry.saves_us, entry.reason);
    text += format("    {}{}\n", entry.fix,
                   entry.keeps_numbers ? "" : " (changes numbers: look at the accuracy again)");
    if (!entry.nodes.empty()) {
      text += format("    at {}{}\n", entry.nodes.front(),
                     entry.nodes.size() > 1 ? format(" and {} more", entry.nodes.size() - 1) : "");
    }
    text += format("    hexquant {}\n", entry.command);
  }
  return text;
}

std::string what_if_text(const std::vector<pipeline::WhatIf>& rows, const pipeline::Analysis& now) {
  std::vector<std::vector<std::string>> cells;
  std::string problems;
  const double now_us = now.prediction.time_us.value;
  cells.push_back(
      {"(as it is)", format("{:.1f}", now_us), "",
       format("{:.2f}", static_cast<double>(now.prediction.ddr_bytes) / kMegabyte),
       format("{:.2f}", static_cast<double>(now.prediction.vtcm.peak_bytes) / kBinaryMegabyte)});
  for (const pipeline::WhatIf& row : rows) {
    if (!row.problem.empty()) {
      problems += format("{}: not possible: {}\n", row.change, row.problem);
      continue;
    }
    cells.push_back({row.change, format("{:.1f}", row.time_us.value),
                     format("{:+.1f} %", 100.0 * (row.time_us.value / now_us - 1.0)),
                     format("{:.2f}", static_cast<double>(row.ddr_bytes) / kMegabyte),
                     format("{:.2f}", static_cast<double>(row.vtcm_peak_bytes) / kBinaryMegabyte)});
  }
  return table_text({"what if", "us", "change", "DDR MB", "VTCM MB"}, cells) + problems;
}

}  // namespace hexquant::cli
