#include "profiling/csv_table.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/format.h"
#include "profiling/qnn_csv.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kFirstOfExecution = "Number of HVX threads used";

std::string section_of(const QnnCsvRowView& row, std::string_view root) {
  if (root == "Performance Estimates") return "estimate";
  if (root.find("(finalize)") != std::string_view::npos) return "finalize";
  if (root.find("(init)") != std::string_view::npos || row.message == "INIT") return "init";
  return "execute";
}

std::string_view unit_of(std::string_view unit) {
  if (unit == "US") return "us";
  if (unit == "CYCLES") return "cycles";
  if (unit == "COUNT") return "count";
  if (unit == "BYTES") return "bytes";
  if (unit == "INF_PER_SEC") return "inf/sec";
  return unit;
}

/// Collects the rows of one execution, whose graph is only known once they are all there.
class Reader {
 public:
  explicit Reader(ProfileTable& table) : builder_(table) {}

  void row(const QnnCsvRowView& row) {
    has_timestamp_ = has_timestamp_ || row.timestamp != 0;
    if (starts_block(row)) flush();
    if (row.is_root()) root_ = row.identifier;
    if (!row.time || !is_measurement(static_cast<double>(*row.time))) return;
    const auto op = operation_of(row);
    if (op) {
      ops_.push_back({*op, row});
    } else {
      totals_.push_back({row, section_of(row, root_)});
    }
  }

  void malformed(std::int64_t line, std::string_view text) {
    builder_.malformed(line, text, "too few fields, or a number that is none");
  }

  void finish(ProfileTable& table) {
    flush();
    builder_.finish();
    if (graph_count_ > 1 || compilations_.size() > 1) return;
    for (ProfileRow& row : table.rows) row.graph.clear();
    for (ProfileTotal& total : table.totals) total.graph.clear();
  }

  [[nodiscard]] bool has_timestamp() const noexcept { return has_timestamp_; }

 private:
  struct Operation {
    QnnOpId id;
    QnnCsvRowView row;
  };
  struct Total {
    QnnCsvRowView row;
    std::string section;
  };

  static std::optional<QnnOpId> operation_of(const QnnCsvRowView& row) {
    const bool is_op = row.message == "NODE" ||
                       (row.message == "EXECUTE" && !row.is_root() && row.unit == "CYCLES");
    return is_op ? parse_op_id(row.identifier) : std::nullopt;
  }

  /// A new compilation or execution: its first row, or a root row that this one already has.
  [[nodiscard]] bool starts_block(const QnnCsvRowView& row) const {
    if (!row.is_root()) return false;
    if (row.message == "FINALIZE" || row.identifier == kFirstOfExecution) return true;
    return std::any_of(totals_.begin(), totals_.end(), [&](const Total& total) {
      return total.row.is_root() && total.row.identifier == row.identifier;
    });
  }

  static bool is_border(const Operation& op) {
    return op.id.qnn_name == "Input" || op.id.qnn_name == "Output";
  }

  /// The graph that one of the block's operations is known to belong to, or a new one.
  std::string graph_of_block() {
    std::size_t graph = 0;
    for (const Operation& op : ops_) {
      if (is_border(op)) continue;
      const auto known = graph_of_op_.find(op.id.qnn_name);
      if (known != graph_of_op_.end()) graph = known->second;
      if (graph != 0) break;
    }
    if (graph == 0) {
      if (std::all_of(ops_.begin(), ops_.end(), is_border)) return {};
      graph = ++graph_count_;
    }
    for (const Operation& op : ops_) {
      if (!is_border(op)) graph_of_op_.emplace(op.id.qnn_name, graph);
    }
    return format("#{}", graph);
  }

  /// The compilation of one graph. The provider writes earlier ones again after each further graph:
  /// those repeats, equal to the microsecond, are dropped.
  bool is_repeated_compilation() {
    std::string key;
    for (const Total& total : totals_) {
      key += format("{}={};", total.row.identifier, *total.row.time);
    }
    return !compilations_.insert(std::move(key)).second;
  }

  void flush() {
    const bool is_compilation = !totals_.empty() && totals_.front().row.message == "FINALIZE";
    if (is_compilation && is_repeated_compilation()) totals_.clear();
    const std::string graph =
        is_compilation ? format("#{}", compilations_.size()) : graph_of_block();
    for (const Operation& op : ops_) {
      ProfileRow& row = builder_.row(graph, op.id.qnn_name);
      if (row.value.count == 0) {
        row.op_id = op.id.op_id;
        row.backend = "HTP";
        row.onnx_nodes = split_sources(op.row.onnx_sources);
      }
      row.value.add(static_cast<double>(*op.row.time));
    }
    for (const Total& total : totals_) {
      builder_.total(total.section, graph, total.row.identifier, unit_of(total.row.unit))
          .value.add(static_cast<double>(*total.row.time));
    }
    ops_.clear();
    totals_.clear();
  }

  ProfileBuilder builder_;
  std::vector<Operation> ops_;
  std::vector<Total> totals_;
  std::map<std::string, std::size_t, std::less<>> graph_of_op_;
  std::size_t graph_count_ = 0;
  std::set<std::string> compilations_;
  std::string_view root_;
  bool has_timestamp_ = false;
};

}  // namespace

ProfileTable read_csv_table(std::string_view text, const std::string& origin) {
  ProfileTable table{
      .format = ProfileFormat::kQnnCsv, .sources = {origin}, .unit = ProfileUnit::kCycles};
  Reader reader(table);
  table.lines =
      visit_qnn_csv(text, origin,
                    {.row = [&](const QnnCsvRowView& row) { reader.row(row); },
                     .malformed = [&](std::int64_t line,
                                      std::string_view shown) { reader.malformed(line, shown); }});
  reader.finish(table);
  if (table.rows.empty()) return table;
  if (!reader.has_timestamp()) {
    table.findings.push_back(
        {.id = "host-ticks",
         .severity = Severity::kWarning,
         .where = origin,
         .reason = "all time stamps are 0: the profile comes from the x86 simulator, whose cycles "
                   "are ticks of the host's clock and say nothing about a device",
         .fix = "profile on the device, or use the estimate of 'hexquant compile --estimate'"});
  }
  table.findings.push_back(
      {.id = "cycles-not-time",
       .severity = Severity::kWarning,
       .where = origin,
       .reason = "cycles of operations cannot be turned into time nor added up: operations of the "
                 "HTP run side by side on HMX, HVX and DMA",
       .fix = "use the shares to find the operations to change, and 'Accelerator (execute) time' "
              "for the time of an inference"});
  return table;
}

}  // namespace hexquant::profiling
