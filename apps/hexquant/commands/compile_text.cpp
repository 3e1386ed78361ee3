#include "commands/compile_text.h"

#include <map>
#include <vector>

#include "cli/table.h"
#include "core/format.h"
#include "report/estimate_text.h"

namespace hexquant::cli {
namespace {

constexpr std::size_t kNodeRows = 20;
constexpr double kMegabyte = 1e6;

std::string counts_text(const target::PlacementReport& report) {
  std::map<target::Unit, int> counts;
  int borders = 0;
  for (const target::Placement& node : report.nodes) {
    if (pipeline::is_border_conversion(node)) {
      ++borders;
    } else {
      ++counts[node.unit];
    }
  }
  std::string text = format(
      "{} nodes: {} integer on the NPU, {} float on the NPU, {} on the CPU, {} folded",
      report.nodes.size(), counts[target::Unit::kNpuInteger], counts[target::Unit::kNpuFloat],
      counts[target::Unit::kCpu], counts[target::Unit::kFolded]);
  if (borders > 0) text += format(", {} converting inputs and outputs on the CPU", borders);
  return text;
}

/// Nodes that do not run in integers on the NPU, why, and what mends it.
std::string nodes_table(const target::PlacementReport& report) {
  std::vector<std::vector<std::string>> rows;
  std::size_t others = 0;
  const auto add = [&](const std::string& name, const std::string& op, const char* unit,
                       const std::string& reason, const std::string& fix) {
    if (rows.size() == kNodeRows) {
      ++others;
      return;
    }
    rows.push_back({name, op, unit, fix.empty() ? reason : reason + " -> " + fix});
  };
  for (const target::Rejection& node : report.rejections) {
    add(node.node, node.op_type, "rejected", node.reason, node.fix);
  }
  for (const target::Placement& node : report.nodes) {
    const bool is_fine = node.unit == target::Unit::kNpuInteger ||
                         node.unit == target::Unit::kFolded || pipeline::is_border_conversion(node);
    if (!is_fine) add(node.node, node.op_type, unit_name(node.unit), node.reason, node.fix);
  }
  if (rows.empty()) return {};
  std::string text = "\n" + table_text({"node", "op", "runs on", "why"}, rows);
  if (others > 0) text += format("... {} more: see --json\n", others);
  return text;
}

std::string soc_text(const target::Soc& soc) {
  return format("{} ({}, HTP {})", soc.name, soc.description, soc.htp_arch);
}

std::string spill_text(const pipeline::CompileResult& result) {
  const auto bytes = result.spill_fill_bytes();
  if (!bytes) return "not reported (only an estimate tells, and only some chips have one)";
  return format("{:.3f} MB (estimate)", static_cast<double>(*bytes) / kMegabyte);
}

}  // namespace

std::string prediction_text(const std::string& model,
                            const pipeline::PlacementPrediction& prediction) {
  return format("{}\nsoc          {}\nprediction   {}\n", model, soc_text(prediction.soc),
                counts_text(prediction.placement)) +
         nodes_table(prediction.placement) + "\n";
}

std::string result_text(const std::string& model, const pipeline::CompileResult& result) {
  std::string text = format("{}\nsoc          {}, VTCM {} MB, optimization {}\n", model,
                            soc_text(result.soc), result.vtcm_mb, result.optimization);
  if (result.failure) {
    text += format("NOT COMPILED {}: {}\n", runtime::htp_failure_name(result.failure->kind),
                   result.failure->reason);
    return text + nodes_table(result.placement) + "\n";
  }
  text += format("placement    {}\n", counts_text(result.placement));
  for (const pipeline::CompiledFile& file : result.files) {
    text += format("written      {} ({:.2f} MB)\n", file.path.string(),
                   static_cast<double>(file.bytes) / kMegabyte);
  }
  text += format("compiler     {:.2f} s, {:.0f} MB\n", result.seconds,
                 static_cast<double>(result.peak_memory_bytes) / kMegabyte);
  text += format("spill/fill   {}\n", spill_text(result));
  text += nodes_table(result.placement);
  if (result.estimate) text += "\n" + report::estimate_text(pipeline::to_json(*result.estimate));
  return text + "\n";
}

}  // namespace hexquant::cli
