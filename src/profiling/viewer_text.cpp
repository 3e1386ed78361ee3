#include "profiling/viewer_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "core/format.h"
#include "profiling/viewer_line.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kOpId = "OpId_";
constexpr std::string_view kExecuteTime = "Accelerator (execute) time (cycles)";
constexpr std::string_view kCriticalTime = "Accelerator (critical path execute) time (cycles)";
constexpr std::string_view kResources = "Resources";
constexpr std::size_t kOverlapNames = 10;

/// Which figures of an execution a section holds.
enum class Statistic { kSample, kAverage, kMin, kMax };
constexpr std::size_t kStatistics = 4;

std::string section_name(std::string_view header) {
  const std::size_t end = header.find(" Stat");
  std::string name(header.substr(0, end));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

/// Line by line; the state is where in the report we are.
class Reader {
 public:
  explicit Reader(ProfileTable& table) : table_(table) {
    for (ProfileTable& part : parts_) builders_.emplace_back(part);
  }

  void line(std::string_view line, std::int64_t number) {
    const std::string_view text = trim_blanks(line);
    if (text.empty()) return;
    if (const auto value = parse_value_line(line)) {
      add_value(*value);
    } else if (text.starts_with(kResources)) {
      add_resources(text.substr(kResources.size()));
    } else if (text.ends_with(':') || is_section(text)) {
      add_header(text);
    } else if (names_ != nullptr && line.front() != text.front() && !ends_with_unit(text)) {
      add_overlap_name(text);
    } else if (text.find(kOpId) != std::string_view::npos || ends_with_unit(text)) {
      ProfileBuilder(table_).malformed(number, line, "no '<name>: <number> <unit>'");
    }
  }

  void finish() {
    for (ProfileBuilder& builder : builders_) builder.finish();
    ProfileTable& average = part(Statistic::kAverage);
    const bool has_average = !average.rows.empty() || !average.totals.empty();
    ProfileTable& chosen = has_average ? average : part(Statistic::kSample);
    if (has_average) {
      for (ProfileTotal& total : part(Statistic::kSample).totals) {
        if (total.section != "execute") table_.totals.push_back(std::move(total));
      }
    }
    for (ProfileTotal& total : chosen.totals) table_.totals.push_back(std::move(total));
    table_.rows = std::move(chosen.rows);
    if (has_average) bound_rows();
  }

 private:
  [[nodiscard]] ProfileTable& part(Statistic statistic) {
    return parts_[static_cast<std::size_t>(statistic)];
  }
  [[nodiscard]] ProfileBuilder& builder() {
    return builders_[static_cast<std::size_t>(statistic_)];
  }

  /// "Execute Stat 3", which some versions print without a colon.
  static bool is_section(std::string_view text) {
    constexpr std::size_t kLongest = 40;
    return text.size() <= kLongest && text.find(" Stat") != std::string_view::npos &&
           text.find(kOpId) == std::string_view::npos;
  }

  static bool ends_with_unit(std::string_view text) {
    return text.ends_with(" us") || text.ends_with(" cycles") || text.ends_with(" inf/sec");
  }

  void add_header(std::string_view text) {
    names_ = nullptr;
    row_ = nullptr;
    if (text.starts_with("Graph ")) {
      const std::size_t open = text.find('(');
      const std::size_t close = text.rfind(')');
      if (open != std::string_view::npos && close != std::string_view::npos && open < close) {
        graph_ = text.substr(open + 1, close - open - 1);
      }
      return;
    }
    if (text.find(" Stat") == std::string_view::npos || text.find('/') != std::string_view::npos) {
      return;  // "Total Inference Time:", the title
    }
    section_ = text.find("(Overall)") == std::string_view::npos ? section_name(text) : "overall";
    graph_ = {};
    statistic_ = Statistic::kSample;
    if (text.find("(Average)") != std::string_view::npos) statistic_ = Statistic::kAverage;
    if (text.find("(Min)") != std::string_view::npos) statistic_ = Statistic::kMin;
    if (text.find("(Max)") != std::string_view::npos) statistic_ = Statistic::kMax;
  }

  void add_value(const ValueLine& value) {
    if (row_ != nullptr && add_linting(value)) return;
    names_ = nullptr;
    const bool is_below = is_below_execute_ && value.indent > execute_indent_;
    const bool is_op =
        value.unit == "cycles" && (value.label.find(kOpId) != std::string_view::npos || is_below);
    if (is_op) {
      row_ = &builder().row(graph_, operation_name(value.label));
      row_->value.add(value.value);
      row_->backend = value.backend == "DSP" || value.backend.empty() ? "HTP" : value.backend;
      return;
    }
    row_ = nullptr;
    is_below_execute_ = value.label == kExecuteTime || value.label == kCriticalTime;
    execute_indent_ = value.indent;
    builder().total(section_, graph_, value.label, value.unit).value.add(value.value);
  }

  /// True for the lines below an operation.
  bool add_linting(const ValueLine& value) {
    names_ = nullptr;
    if (value.label == "Wait (Scheduler) time") {
      row_->wait.add(value.value);
    } else if (value.label == "Overlap time") {
      row_->overlap.add(value.value);
      names_ = &row_->overlaps_with;
    } else if (value.label == "Overlap (wait) time") {
      row_->overlap_wait.add(value.value);
      names_ = &row_->overlaps_with;
    } else {
      return false;
    }
    return true;
  }

  void add_resources(std::string_view rest) {
    names_ = nullptr;
    if (row_ == nullptr || !row_->resources.empty()) return;
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return;
    rest.remove_prefix(colon + 1);
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      const std::string_view name = trim_blanks(rest.substr(0, comma));
      if (!name.empty()) row_->resources.emplace_back(name);
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }

  void add_overlap_name(std::string_view text) {
    if (names_->size() == kOverlapNames) return;
    std::string name(operation_name(text));
    if (std::find(names_->begin(), names_->end(), name) == names_->end()) {
      names_->push_back(std::move(name));
    }
  }

  /// Bounds of the averages from the sections of minima and maxima.
  void bound_rows() {
    std::map<std::pair<std::string, std::string>, ProfileRow*> rows;
    for (ProfileRow& row : table_.rows) rows.emplace(std::pair(row.graph, row.name), &row);
    const auto bound = [&](Statistic statistic, double Samples::*member) {
      for (const ProfileRow& row : part(statistic).rows) {
        const auto found = rows.find(std::pair(row.graph, row.name));
        if (found != rows.end()) found->second->value.*member = row.value.mean();
      }
    };
    bound(Statistic::kMin, &Samples::min);
    bound(Statistic::kMax, &Samples::max);
  }

  ProfileTable& table_;
  std::array<ProfileTable, kStatistics> parts_;
  std::deque<ProfileBuilder> builders_;
  Statistic statistic_ = Statistic::kSample;
  std::string section_ = "execute";
  std::string_view graph_;
  ProfileRow* row_ = nullptr;  ///< operation whose linting lines follow
  std::vector<std::string>* names_ = nullptr;
  bool is_below_execute_ = false;
  std::size_t execute_indent_ = 0;
};

Finding cycles_finding(const ProfileTable& table) {
  Finding finding{
      .id = "cycles-not-time",
      .severity = Severity::kWarning,
      .where = table.sources.front(),
      .reason =
          "cycles of operations cannot be turned into time nor added up: operations of the "
          "HTP run side by side on HMX, HVX and DMA",
      .fix =
          "use the shares to find the operations to change, and 'Accelerator (execute) time' "
          "for the time of an inference"};
  const auto critical = table.total("execute", kCriticalTime);
  if (critical && *critical > 0.0) {
    finding.reason += format("; here their sum is {:.2f} times the critical path of {:.0f} cycles",
                             table.sum() / *critical, *critical);
  }
  return finding;
}

}  // namespace

ProfileTable read_viewer_text(std::string_view text, const std::string& origin) {
  ProfileTable table{
      .format = ProfileFormat::kViewerText, .sources = {origin}, .unit = ProfileUnit::kCycles};
  Reader reader(table);
  table.lines = each_line(
      text, [&](std::string_view line, std::int64_t number) { reader.line(line, number); });
  reader.finish();
  if (!table.rows.empty()) table.findings.push_back(cycles_finding(table));
  return table;
}

bool is_viewer_line(std::string_view line) {
  const std::string_view text = trim_blanks(line);
  if (text.starts_with("Execute Stat") || text.starts_with("Finalize Stat") ||
      text.starts_with("Init Stat") || text.starts_with("Layer Times:")) {
    return true;
  }
  const auto value = parse_value_line(line);
  return value &&
         (text.starts_with("Backend (") || text.starts_with("NetRun") ||
          value->label.find(kOpId) != std::string_view::npos || value->label == kExecuteTime);
}

}  // namespace hexquant::profiling
