#include "pipeline/profile_fallback.h"

#include <algorithm>

#include "core/format.h"

namespace hexquant::pipeline {
namespace {

using profiling::ProfileFormat;
using profiling::ProfileRow;
using profiling::ProfileTable;

bool is_conversion(const std::string& op) {
  return op == "QuantizeLinear" || op == "DequantizeLinear";
}

bool is_cpu(const ProfileRow& row) {
  return row.backend == "CPU";
}

FallbackNode* find_node(Fallback& fallback, const std::string& name) {
  const auto found = std::find_if(fallback.nodes.begin(), fallback.nodes.end(),
                                  [&](const FallbackNode& node) { return node.name == name; });
  return found == fallback.nodes.end() ? nullptr : &*found;
}

void add_profile(const ProfileTable& table, Fallback& fallback) {
  const bool tells = std::any_of(table.rows.begin(), table.rows.end(),
                                 [](const ProfileRow& row) { return !row.backend.empty(); });
  // The HTP's own profiles list its operations only.
  const bool has_cpu = std::any_of(table.rows.begin(), table.rows.end(), is_cpu);
  const bool shows_cpu =
      table.format == ProfileFormat::kNodeLines || table.format == ProfileFormat::kOrtTrace;
  if (!(has_cpu || (shows_cpu && tells))) return;
  fallback.is_known = true;
  double cpu_time = 0.0;
  for (const ProfileRow& row : table.rows) {
    if (!is_cpu(row)) continue;
    FallbackNode node{.name = row.name, .op = row.op, .text = row.text};
    if (table.is_time && row.value.count > 0) node.time_us = row.amount;
    node.is_conversion = is_conversion(row.op);
    cpu_time += node.time_us.value_or(0.0);
    fallback.nodes.push_back(std::move(node));
  }
  const double sum = table.sum();
  if (table.is_time && table.may_be_summed && sum > 0.0) {
    fallback.cpu_time_us = fallback.cpu_time_us.value_or(0.0) + cpu_time;
    fallback.cpu_share = cpu_time / sum;
  }
  if (table.format != ProfileFormat::kOrtTrace) return;
  fallback.no_accelerator = std::all_of(table.rows.begin(), table.rows.end(), is_cpu);
}

void add_refused(const formats::FrameworkTrace& framework, Fallback& fallback) {
  fallback.is_known = true;
  for (const formats::UnsupportedNode& refused : framework.unsupported) {
    FallbackNode* node = find_node(fallback, refused.name);
    if (node == nullptr) {
      node = &fallback.nodes.emplace_back(
          FallbackNode{.name = refused.name,
                       .op = refused.op_type,
                       .is_conversion = is_conversion(refused.op_type)});
    }
    node->reason = refused.reason;
  }
}

void explain(const target::PlacementReport& predicted, const std::string& name,
             FallbackNode& node) {
  const target::Placement* placement = predicted.find(name);
  if (placement == nullptr) return;
  if (placement->unit != target::Unit::kCpu) {
    if (node.reason.empty() && placement->unit != target::Unit::kFolded) {
      node.reason = format("the rules of the chip place it on the NPU ({})",
                           target::unit_name(placement->unit));
      node.fix = "check with 'hexquant compile' why the provider did not take it";
    }
    return;
  }
  if (node.reason.empty()) node.reason = placement->reason;
  node.fix = placement->fix;
}

}  // namespace

std::size_t Fallback::operations() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      nodes.begin(), nodes.end(), [](const FallbackNode& node) { return !node.is_conversion; }));
}

Fallback find_fallback(const std::vector<ProfileTable>& profiles,
                       const formats::FrameworkTrace* framework,
                       const target::PlacementReport* predicted) {
  Fallback fallback;
  for (const ProfileTable& table : profiles) add_profile(table, fallback);
  if (framework != nullptr) add_refused(*framework, fallback);
  if (predicted == nullptr) return fallback;
  for (FallbackNode& node : fallback.nodes) {
    explain(*predicted, node.name, node);
    if (node.reason.empty()) explain(*predicted, formats::onnx_node_name(node.name), node);
  }
  return fallback;
}

}  // namespace hexquant::pipeline
