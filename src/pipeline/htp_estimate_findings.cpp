#include "pipeline/htp_estimate_findings.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"
#include "runtime/htp/htp_options.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

/// Share of the time above which a part of the model is worth a finding.
constexpr double kNotableShare = 0.1;
/// Relative difference of byte counts below which they agree: small intermediates that lie in DRAM
/// are moved by DMA and are not part of the totals (256 bytes of 17.8 MB in MiniLM).
constexpr double kByteTolerance = 0.01;

/// Names of the chips with estimates; only those of `htp_arch` unless that is empty.
std::vector<std::string> chips_with_estimates(const std::string& htp_arch) {
  std::vector<std::string> names;
  for (const target::Soc& soc : target::list_socs()) {
    if (!soc.vendor_estimates) continue;
    if (htp_arch.empty()) {
      names.push_back(format("{} ({})", soc.name, soc.htp_arch));
    } else if (soc.htp_arch == htp_arch) {
      names.push_back(soc.name);
    }
  }
  return names;
}

Finding unavailable(const HtpEstimate& estimate) {
  const std::vector<std::string> same = chips_with_estimates(estimate.htp_arch);
  std::string fix =
      same.empty() ? format("no chip of {} has them; chips of other versions do: {}",
                            estimate.htp_arch, join(chips_with_estimates(""), ", "))
                   : format(
                         "compile for {}, which {} the same HTP version; clocks and memory are "
                         "those of that chip",
                         join(same, " or "), same.size() == 1 ? "has" : "have");
  return {"estimate-unavailable", Severity::kWarning, estimate.soc,
          format("the vendor's simulator gives no performance estimates for {} (HTP {})",
                 estimate.soc, estimate.htp_arch),
          std::move(fix)};
}

Finding caveat(const HtpEstimate& estimate) {
  const profiling::SimulatedMachine& machine = estimate.graphs.front().trace.machine;
  const std::string what = machine.clock_mhz > 0.0 ? format("a simulated {} at {:.1f} MHz",
                                                            machine.soc, machine.clock_mhz)
                                                   : format("a simulated {}", estimate.soc);
  return {"estimate-is-no-measurement", Severity::kInfo, estimate.soc,
          format("time of {} alone: the call from the host, waiting and other work of the chip are "
                 "not part of it",
                 what),
          "compare variants of a model with it; measure on the device before you decide"};
}

Finding missing_ops(const HtpEstimate& estimate) {
  return {"estimate-missing-ops", Severity::kWarning, estimate.soc,
          format("the simulator has no cost for {} operations and counts them as free: the "
                 "figures are too low and of low confidence",
                 estimate.missing_ops()),
          "compare only with variants that have the same operations without cost"};
}

/// Whole cycles of the model and cycles of the layers that `counts` picks.
template <typename Predicate>
double share_of(const HtpEstimate& estimate, Predicate counts) {
  double picked = 0.0;
  double whole = 0.0;
  for (const HtpGraphEstimate& graph : estimate.graphs) {
    whole += static_cast<double>(graph.times.cycles);
    for (std::size_t l = 0; l < graph.layers.layers.size(); ++l) {
      if (counts(graph.layers.layers[l])) picked += graph.times.layers[l].attributed_cycles();
    }
  }
  return whole > 0.0 ? picked / whole : 0.0;
}

bool is_depthwise(const graph::Graph& graph, const graph::Node& node) {
  if (!node.is("Conv") || node.int_attribute("group", 1) <= 1) return false;
  const graph::ValueType* type = graph.find_type(node.input(0));
  if (type == nullptr || !type->shape || type->shape->size() < 2) return true;
  return (*type->shape)[1].value == node.int_attribute("group", 1);
}

void add_depthwise(const HtpEstimate& estimate, const graph::Graph& graph, Findings& findings) {
  std::vector<std::string> depthwise;
  for (const graph::Node& node : graph.nodes()) {
    if (is_depthwise(graph, node)) depthwise.push_back(node.name());
  }
  std::sort(depthwise.begin(), depthwise.end());
  const double share = share_of(estimate, [&](const HtpLayer& layer) {
    return layer.kind == LayerKind::kLayer &&
           std::binary_search(depthwise.begin(), depthwise.end(), layer.name);
  });
  if (share < kNotableShare) return;
  findings.push_back(
      {"estimate-depthwise", Severity::kInfo, format("{} depthwise convolutions", depthwise.size()),
       format("{:.0f} % of the time is in depthwise convolutions; for MobileNetV2 such estimates "
              "were 210 to 282 us where devices are listed with 420 to 640, and 16-bit activations "
              "cost more on devices than the estimate says",
              100.0 * share),
       "do not weigh 8 against 16 bits with it for such networks"});
}

void add_borders(const HtpEstimate& estimate, Findings& findings) {
  const double share = share_of(estimate, [](const HtpLayer& layer) {
    return layer.kind == LayerKind::kInserted || layer.kind == LayerKind::kBoundary;
  });
  if (share < kNotableShare) return;
  findings.push_back(
      {"estimate-border-time", Severity::kWarning, "inputs, outputs and layout changes",
       format("{:.0f} % of the time goes to operations that stand for no node of the "
              "model: layout changes, conversions, inputs and outputs",
              100.0 * share),
       "feed NHWC uint8 inputs where the application allows it"});
}

void add_trace(const HtpEstimate& estimate, const EstimateFiles& files, Findings& findings) {
  if (files.trace_count != estimate.graphs.size()) {
    findings.push_back({"estimate-without-trace", Severity::kWarning, runtime::kProfileLogFile,
                        format("{} traces for {} compiled graphs: no times of layers",
                               files.trace_count, estimate.graphs.size()),
                        "compile again with the trace on"});
    return;
  }
  for (const HtpGraphEstimate& graph : estimate.graphs) {
    if (graph.trace.is_truncated) {
      findings.push_back({"estimate-trace-truncated", Severity::kWarning, runtime::kProfileLogFile,
                          format("the trace breaks off after {} operations: times of layers are "
                                 "incomplete",
                                 graph.trace.events.size()),
                          "compile again; see that the disk has room"});
      continue;
    }
    std::int64_t dma_read_bytes = 0;
    for (const profiling::LayerTimes& layer : graph.times.layers) {
      dma_read_bytes += layer.dma_read_bytes;
    }
    const std::int64_t total = graph.figures.ddr_bytes.read();
    const auto difference = static_cast<double>(std::abs(dma_read_bytes - total));
    if (!(difference > kByteTolerance * static_cast<double>(total))) continue;
    findings.push_back({"estimate-bytes-differ", Severity::kInfo, graph.trace.graph_name,
                        format("the trace lists {} bytes that DMA reads, the totals say {}",
                               dma_read_bytes, total),
                        "the rows of layers follow the trace, ddr_bytes the totals"});
  }
}

}  // namespace

Findings estimate_findings(const HtpEstimate& estimate, const graph::Graph& graph,
                           const EstimateFiles& files) {
  Findings findings;
  if (files.malformed_lines > 0) {
    findings.push_back(
        {"profile-malformed-lines", Severity::kWarning, runtime::kProfileCsvFile,
         format("{} lines are no rows of a profile and were left out", files.malformed_lines), ""});
  }
  if (!estimate.is_available()) {
    findings.push_back(unavailable(estimate));
    return findings;
  }
  findings.push_back(caveat(estimate));
  if (estimate.missing_ops() > 0) findings.push_back(missing_ops(estimate));
  if (estimate.graphs.size() > 1) {
    findings.push_back({"estimate-several-graphs", Severity::kWarning, estimate.soc,
                        format("the model is split into {} graphs by nodes that run on the CPU: "
                               "their time and the transfers between are not part of the estimate",
                               estimate.graphs.size()),
                        "replace the nodes that stay on the CPU"});
  }
  add_trace(estimate, files, findings);
  add_borders(estimate, findings);
  add_depthwise(estimate, graph, findings);
  return findings;
}

}  // namespace hexquant::pipeline
