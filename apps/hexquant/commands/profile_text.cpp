#include "commands/profile_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "cli/table.h"
#include "core/format.h"

namespace hexquant::cli {
namespace {

using profiling::ProfileGroup;
using profiling::ProfileGrouping;
using profiling::ProfileRow;
using profiling::ProfileTable;
using profiling::ProfileTotal;
using profiling::ProfileUnit;

constexpr std::size_t kRuleWidth = 72;
constexpr std::size_t kFallbackLines = 10;
constexpr std::array<const char*, 3> kGroupTitles = {"layer", "operation type", "unit"};

const char* group_title(ProfileGrouping grouping) {
  return kGroupTitles[static_cast<std::size_t>(grouping)];
}

std::string amount_text(double amount, ProfileUnit unit) {
  return unit == ProfileUnit::kCycles ? format("{:>10.0f} cy", amount)
                                      : format("{:>10.1f} us", amount);
}

std::string group_line(const std::string& name, double amount, double share, ProfileUnit unit) {
  const double percent = 100.0 * share;
  return format("{:<50} {} {:>6.1f}% {}\n", name, amount_text(amount, unit), percent,
                std::string(static_cast<std::size_t>(percent / 2.0), '*'));
}

const char* sum_title(const ProfileTable& table) {
  if (table.may_be_summed) return "total";
  return table.is_time ? "sum of overlapping times" : "sum (no time, see below)";
}

std::string head_text(const ProfileTable& table) {
  std::string text = format("{}\nformat       {}, values in {}{}\n", join(table.sources, ", "),
                            profile_format_name(table.format), profile_unit_name(table.unit),
                            table.is_time ? "" : ", which are no time");
  text += format("read         {} lines or elements, {} malformed; {} operations\n", table.lines,
                 table.malformed_count, table.rows.size());
  for (const profiling::MalformedLine& line : table.malformed) {
    const std::string place = line.line > 0 ? format("line {}", line.line) : "element";
    text += format("  {}: {}: '{}'\n", place, line.reason, line.text);
  }
  const auto mapped = std::count_if(table.rows.begin(), table.rows.end(),
                                    [](const ProfileRow& row) { return !row.node.empty(); });
  if (mapped > 0) {
    text += format("mapped       {} of {} operations to ONNX nodes\n", mapped, table.rows.size());
  }
  return text;
}

std::string value_text(double value, const std::string& unit) {
  const bool is_whole = value == std::floor(value);
  return format("{} {}", is_whole ? format("{:.0f}", value) : format("{:.1f}", value), unit);
}

/// What a call costs beyond the accelerator's own time.
std::string overhead_text(const ProfileTable& table) {
  const auto whole = table.total("execute", "QNN (execute) time");
  const auto accelerator = table.total("execute", "Accelerator (execute) time");
  if (!whole || !accelerator || !(*whole >= *accelerator)) return {};
  return format("call overhead: {:.0f} us of {:.0f} us are not the accelerator's (RPC, waiting)\n",
                *whole - *accelerator, *whole);
}

std::string totals_text(const ProfileTable& table) {
  if (table.totals.empty()) return {};
  std::vector<std::vector<std::string>> rows;
  for (const ProfileTotal& total : table.totals) {
    const std::string place =
        total.graph.empty() ? total.section : format("{} {}", total.section, total.graph);
    rows.push_back({format("{}: {}", place, total.name), value_text(total.value.mean(), total.unit),
                    format("{}", total.value.count)});
  }
  return "\n" + table_text({"total", "mean", "samples"}, rows) + overhead_text(table);
}

std::string groups_text(const ProfileTable& table, ProfileGrouping grouping, std::size_t top) {
  const std::vector<ProfileGroup> groups = profiling::group_rows(table, grouping);
  if (groups.size() < 2) return {};
  std::string text = format("\nby {}{}\n", group_title(grouping),
                            grouping == ProfileGrouping::kUnit && table.units_overlap
                                ? " (busy at the same time: no parts of a whole)"
                                : "");
  for (std::size_t g = 0; g < std::min(top, groups.size()); ++g) {
    text += group_line(groups[g].name, groups[g].amount, groups[g].share, table.unit);
  }
  return text;
}

/// Linting: what the main thread waited for, and what ran beside it.
std::string waits_text(const ProfileTable& table, std::size_t top) {
  std::vector<std::vector<std::string>> rows;
  for (const ProfileRow& row : table.rows) {
    if (row.wait.count + row.overlap.count + row.overlap_wait.count == 0) continue;
    if (rows.size() == top) break;
    const double alone = row.value.mean() - row.overlap.mean();
    rows.push_back({row.label(), format("{:.0f}", row.value.mean()),
                    format("{:.0f}", row.wait.mean()), format("{:.0f}", row.overlap.mean()),
                    format("{:.0f}", row.overlap_wait.mean()), format("{:.0f}", alone),
                    row.resources.empty() ? "-" : format("{}", join(row.resources, "+")),
                    row.overlaps_with.empty() ? "-" : format("{}", join(row.overlaps_with, ", "))});
  }
  if (rows.empty()) return {};
  return "\n" + table_text({"waits and overlap (cycles)", "cycles", "wait", "overlap",
                            "overlap in wait", "alone", "units", "beside it"},
                           rows);
}

std::string critical_text(const ProfileTable& table, std::size_t top) {
  std::vector<std::vector<std::string>> rows;
  for (const ProfileRow& row : table.rows) {
    if (row.critical.count == 0 || rows.size() == top) continue;
    rows.push_back({row.label(), format("{:.0f}", row.critical.total),
                    format("{:.0f}", row.value.total),
                    row.resources.empty() ? "-" : format("{}", join(row.resources, "+"))});
  }
  if (rows.empty()) return {};
  return "\n" + table_text({"dominant path (cycles)", "on the path", "busy", "units"}, rows);
}

/// What the numbers mean and must not be used for.
std::string notes_text(const ProfileTable& table) {
  std::string text;
  for (const Finding& finding : table.findings) {
    text += format("\nnote: {}{}{} [{}]\n", finding.reason, finding.fix.empty() ? "" : " -> ",
                   finding.fix, finding.id);
  }
  return text;
}

std::string table_section(const ProfileTable& table, const ProfileTextOptions& options) {
  std::string text = head_text(table);
  if (table.rows.empty() && !table.totals.empty()) {
    text += "no operations: the profile was made at the basic level, or holds totals only\n";
  } else if (!table.rows.empty()) {
    text += "\n" + top_table(table, options);
  }
  text += totals_text(table);
  if (options.grouping != ProfileGrouping::kOp) {
    text += groups_text(table, ProfileGrouping::kOp, options.top);
  }
  if (options.grouping != ProfileGrouping::kUnit) {
    text += groups_text(table, ProfileGrouping::kUnit, options.top);
  }
  text += waits_text(table, options.top) + critical_text(table, options.top);
  return text + notes_text(table);
}

std::string side_text(const std::optional<double>& value) {
  return value ? format("{:.1f}", *value) : "-";
}

std::string comparison_text(const profiling::ProfileComparison& comparison, std::size_t top) {
  std::vector<std::vector<std::string>> rows;
  for (const profiling::ComparedRow& row : comparison.rows) {
    if (rows.size() == top) break;
    std::string change = row.before ? "removed" : "added";
    if (row.before && row.after) {
      change = *row.before > 0.0 ? format("{:+.1f} %", 100.0 * row.change() / *row.before) : "-";
    }
    rows.push_back({row.name, side_text(row.before), side_text(row.after),
                    format("{:+.1f}", row.change()), change});
  }
  const std::string unit = profile_unit_name(comparison.unit);
  std::string text =
      "\n" +
      table_text({format("compared ({})", unit), "before", "after", "change", "relative"}, rows);
  if (comparison.rows.size() > rows.size()) {
    text += format("... {} more: see --json\n", comparison.rows.size() - rows.size());
  }
  return text + format("{}: {:.1f} -> {:.1f} {}\n",
                       comparison.may_be_summed ? "total" : "sum (no time)", comparison.before_sum,
                       comparison.after_sum, unit);
}

std::string fallback_line(const pipeline::FallbackNode& node) {
  if (!node.text.empty() && node.reason.empty() && node.fix.empty()) {
    return format(" {}\n", node.text);
  }
  std::string line = format(" {}", node.name);
  if (!node.op.empty()) line += format(" ({})", node.op);
  if (node.time_us) line += format(" {:.1f} us", *node.time_us);
  if (!node.reason.empty()) line += format(": {}", node.reason);
  if (!node.fix.empty()) line += format(" -> {}", node.fix);
  return line + "\n";
}

std::string fallback_nodes(const pipeline::Fallback& fallback, bool conversions) {
  std::string text;
  std::size_t shown = 0;
  std::size_t others = 0;
  for (const pipeline::FallbackNode& node : fallback.nodes) {
    if (node.is_conversion != conversions) continue;
    if (shown < kFallbackLines) {
      text += fallback_line(node);
      ++shown;
    } else {
      ++others;
    }
  }
  if (others > 0) text += format(" ... {} more: see --json\n", others);
  return text;
}

}  // namespace

std::string top_table(const ProfileTable& table, const ProfileTextOptions& options) {
  const std::vector<ProfileGroup> groups = profiling::group_rows(table, options.grouping);
  const std::string rule = std::string(kRuleWidth, '-') + "\n";
  std::string text = format("{:<50} {:>12} {:>8}\n", group_title(options.grouping),
                            table.unit == ProfileUnit::kCycles ? "cycles" : "mean (us)", "share");
  text += rule;
  double sum = 0.0;
  for (const ProfileGroup& group : groups) sum += group.amount;
  for (std::size_t g = 0; g < std::min(options.top, groups.size()); ++g) {
    text += group_line(groups[g].name, groups[g].amount, groups[g].share, table.unit);
  }
  text += rule;
  text += format("{:<50} {} {:>6.1f}%\n", sum_title(table), amount_text(sum, table.unit), 100.0);
  if (table.is_time && table.may_be_summed) {
    text += format("\nmean inference latency: {:.2f} ms\n", table.sum() / 1000.0);
  }
  return text;
}

std::string fallback_text(const pipeline::Fallback& fallback) {
  if (!fallback.is_known) {
    return "where operations ran is not told: these files list the HTP's operations only. Give "
           "ONNX\nRuntime's JSON or qnn_op_trace.json too to see nodes on the CPU\n";
  }
  const std::size_t operations = fallback.operations();
  std::string text;
  if (fallback.no_accelerator) {
    text += "the whole model ran on the CPU: no accelerator's provider appears in the trace\n";
  } else if (operations == 0) {
    text += "all operations ran on the HTP\n";
  }
  if (operations > 0) {
    text += format("found {} operation{} that fell back to the CPU:\n", operations,
                   operations == 1 ? "" : "s");
    text += fallback_nodes(fallback, false);
    text +=
        "\nadvice:\n"
        "1. check whether an equivalent operation that the HTP supports can replace it\n"
        "2. simplify the model's graph with 'hexquant optimize' or onnxsim\n"
        "3. consider rewriting the unsupported operation in the model\n";
  }
  const std::size_t conversions = fallback.nodes.size() - operations;
  if (conversions > 0 && !fallback.no_accelerator) {
    text += format("{} conversion{} of quantized values on the CPU:\n", conversions,
                   conversions == 1 ? "" : "s");
    text += fallback_nodes(fallback, true);
    text += "they vanish with quantized inputs and outputs, or with --io-on-device of compile\n";
  }
  if (!fallback.nodes.empty() && !fallback.no_accelerator && fallback.cpu_time_us &&
      fallback.cpu_share) {
    text += format("the CPU takes {:.1f} us of an inference, {:.1f} % of the operations' time\n",
                   *fallback.cpu_time_us, 100.0 * *fallback.cpu_share);
  }
  return text;
}

std::string profile_text(const pipeline::ProfileResult& result, const ProfileTextOptions& options) {
  std::string text;
  for (const ProfileTable& table : result.profiles) text += table_section(table, options) + "\n";
  text += fallback_text(result.fallback);
  if (result.comparison) text += comparison_text(*result.comparison, options.top);
  return text;
}

}  // namespace hexquant::cli
