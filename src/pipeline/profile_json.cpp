#include <cmath>

#include "core/finding_json.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "pipeline/profile_run.h"

namespace hexquant::pipeline {
namespace {

using profiling::ProfileGroup;
using profiling::ProfileGrouping;
using profiling::ProfileRow;
using profiling::ProfileTable;
using profiling::Samples;

/// Nanoseconds and thousandths of a cycle are enough, and make files readable.
double rounded(double value) {
  return std::round(value * 1000.0) / 1000.0;
}

Json mean_json(const Samples& samples) {
  return samples.count == 0 ? Json(nullptr) : Json(rounded(samples.mean()));
}

template <typename Value>
Json optional_json(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

double share_of(double amount, double sum) {
  return sum > 0.0 ? amount / sum : 0.0;
}

Json row_json(const ProfileRow& row, double sum) {
  return {{"name", row.name},
          {"node", row.node.empty() ? Json(nullptr) : Json(row.node)},
          {"op", row.op},
          {"graph", row.graph},
          {"backend", row.backend},
          {"onnx_nodes", row.onnx_nodes},
          {"amount", rounded(row.amount)},
          {"share", share_of(row.amount, sum)},
          {"count", row.value.count},
          {"mean", mean_json(row.value)},
          {"min", rounded(row.value.min)},
          {"max", rounded(row.value.max)},
          {"critical", mean_json(row.critical)},
          {"wait", mean_json(row.wait)},
          {"overlap", mean_json(row.overlap)},
          {"overlap_wait", mean_json(row.overlap_wait)},
          {"overlaps_with", row.overlaps_with},
          {"resources", row.resources},
          {"dram_read_bytes", optional_json(row.dram_read_bytes)},
          {"dram_write_bytes", optional_json(row.dram_write_bytes)}};
}

Json groups_json(const ProfileTable& table, ProfileGrouping grouping) {
  Json groups = Json::array();
  for (const ProfileGroup& group : profiling::group_rows(table, grouping)) {
    groups.push_back({{"name", group.name},
                      {"amount", rounded(group.amount)},
                      {"share", group.share},
                      {"rows", group.rows}});
  }
  return groups;
}

Json table_json(const ProfileTable& table) {
  Json json = {{"format", profiling::profile_format_name(table.format)},
               {"files", table.sources},
               {"unit", profiling::profile_unit_name(table.unit)},
               {"is_time", table.is_time},
               {"may_be_summed", table.may_be_summed}};
  const double sum = table.sum();
  json["sum"] = rounded(sum);
  json["lines"] = table.lines;
  json["malformed_lines"] = table.malformed_count;
  json["malformed"] = Json::array();
  for (const profiling::MalformedLine& line : table.malformed) {
    json["malformed"].push_back(
        {{"line", line.line}, {"text", line.text}, {"reason", line.reason}});
  }
  json["rows"] = Json::array();
  for (const ProfileRow& row : table.rows) json["rows"].push_back(row_json(row, sum));
  json["by_op"] = groups_json(table, ProfileGrouping::kOp);
  json["by_unit"] = groups_json(table, ProfileGrouping::kUnit);
  json["units_overlap"] = table.units_overlap;
  json["totals"] = Json::array();
  for (const profiling::ProfileTotal& total : table.totals) {
    json["totals"].push_back({{"section", total.section},
                              {"graph", total.graph},
                              {"name", total.name},
                              {"unit", total.unit},
                              {"value", rounded(total.value.mean())},
                              {"count", total.value.count}});
  }
  return json;
}

Json fallback_json(const Fallback& fallback) {
  Json nodes = Json::array();
  for (const FallbackNode& node : fallback.nodes) {
    nodes.push_back({{"name", node.name},
                     {"op", node.op},
                     {"time_us", optional_json(node.time_us)},
                     {"is_conversion", node.is_conversion},
                     {"reason", node.reason},
                     {"fix", node.fix}});
  }
  return {{"known", fallback.is_known},
          {"no_accelerator", fallback.no_accelerator},
          {"operations", fallback.operations()},
          {"cpu_time_us", optional_json(fallback.cpu_time_us)},
          {"cpu_share", optional_json(fallback.cpu_share)},
          {"nodes", std::move(nodes)}};
}

const char* verdict(const profiling::ComparedRow& row) {
  if (!row.before) return "added";
  if (!row.after) return "removed";
  if (row.change() == 0.0) return "same";
  return row.change() < 0.0 ? "faster" : "slower";
}

Json comparison_json(const profiling::ProfileComparison& comparison) {
  Json rows = Json::array();
  for (const profiling::ComparedRow& row : comparison.rows) {
    const auto side = [](const std::optional<double>& value) {
      return value ? Json(rounded(*value)) : Json(nullptr);
    };
    rows.push_back({{"name", row.name},
                    {"op", row.op},
                    {"before", side(row.before)},
                    {"after", side(row.after)},
                    {"change", rounded(row.change())},
                    {"verdict", verdict(row)}});
  }
  return {{"unit", profiling::profile_unit_name(comparison.unit)},
          {"may_be_summed", comparison.may_be_summed},
          {"before_sum", rounded(comparison.before_sum)},
          {"after_sum", rounded(comparison.after_sum)},
          {"rows", std::move(rows)}};
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_number(const Samples& samples) {
  return samples.count == 0 ? "" : format("{:.3f}", samples.mean());
}

std::string csv_number(const std::optional<std::int64_t>& value) {
  return value ? format("{}", *value) : "";
}

std::string csv_row(const ProfileTable& table, const ProfileRow& row, std::size_t rank,
                    double sum) {
  return format("{},{},{},{},{},{},{},{},{:.3f},{},{:.6f},{},{:.3f},{:.3f},{},{},{},{},{},{},{}\n",
                profiling::profile_format_name(table.format), rank, csv_field(row.name),
                csv_field(row.node), csv_field(row.op), csv_field(row.graph),
                csv_field(row.backend), csv_field(format("{}", join(row.onnx_nodes, ";"))),
                row.amount, profiling::profile_unit_name(table.unit), share_of(row.amount, sum),
                row.value.count, row.value.min, row.value.max, csv_number(row.critical),
                csv_number(row.wait), csv_number(row.overlap), csv_number(row.overlap_wait),
                format("{}", join(row.resources, "+")), csv_number(row.dram_read_bytes),
                csv_number(row.dram_write_bytes));
}

}  // namespace

Json to_json(const ProfileResult& result) {
  Json json = {{"model", result.model.empty() ? Json(nullptr) : Json(result.model)},
               {"name_files", result.name_files}};
  json["profiles"] = Json::array();
  for (const ProfileTable& table : result.profiles) json["profiles"].push_back(table_json(table));
  json["fallback"] = fallback_json(result.fallback);
  json["comparison"] = result.comparison ? comparison_json(*result.comparison) : Json(nullptr);
  Findings findings = result.findings;
  for (const ProfileTable& table : result.profiles) {
    append(findings, table.findings);
  }
  json["findings"] = findings_json(findings);
  return json;
}

std::string profile_csv(const ProfileResult& result) {
  std::string text =
      "format,rank,name,node,op,graph,backend,onnx_nodes,amount,unit,share,count,min,max,critical,"
      "wait,overlap,overlap_wait,resources,dram_read_bytes,dram_write_bytes\n";
  for (const ProfileTable& table : result.profiles) {
    const double sum = table.sum();
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
      text += csv_row(table, table.rows[r], r + 1, sum);
    }
  }
  return text;
}

}  // namespace hexquant::pipeline
