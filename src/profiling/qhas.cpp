#include "profiling/qhas.h"

#include <algorithm>

#include "core/json_scanner.h"
#include "profiling/json_profile.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kCriticalPrefix = "num_dominant_path_cycles";

std::string_view unit_of(std::string_view key) {
  if (key == "time_us" || key.ends_with("_us")) return "us";
  if (key.find("cycles") != std::string_view::npos) return "cycles";
  if (key.starts_with("percent")) return "percent";
  if (key == "inf_per_s") return "inf/sec";
  if (key.starts_with("total_") || key.find("alloc") != std::string_view::npos) return "bytes";
  return "count";
}

std::int64_t bytes_of(double value) {
  return is_measurement(value) ? static_cast<std::int64_t>(value) : 0;
}

/// One element of `qnn_op_instances_nodes`.
struct Operation {
  std::string name;
  std::string type;
  double cycles = -1.0;
  double critical = -1.0;
  double dram_read = -1.0;
  double dram_write = -1.0;
};

class Reader : public CycleReader {
 public:
  using CycleReader::CycleReader;

  void read(JsonScanner& scanner) {
    scanner.object([&](std::string_view key) {
      if (key != "data" || !scanner.at_object()) {
        scanner.skip();
        return;
      }
      scanner.object([&](std::string_view section) { read_section(scanner, section); });
    });
  }

  void finish() {
    finish_rows();
    table_.units_overlap = true;
  }

 private:
  void read_section(JsonScanner& scanner, std::string_view section) {
    const bool is_summary = section == "htp_overall_summary";
    if ((!is_summary && section != "qnn_op_instances_nodes") || !scanner.at_object()) {
      scanner.skip();
      return;
    }
    each_element(scanner, [&] {
      if (is_summary) {
        read_summary(scanner);
      } else {
        read_operation(scanner);
      }
    });
  }

  /// Elements of {"data": [...]} that are objects.
  template <typename Element>
  static void each_element(JsonScanner& scanner, Element element) {
    scanner.object([&](std::string_view key) {
      if (key != "data" || !scanner.at_array()) {
        scanner.skip();
        return;
      }
      scanner.array([&] {
        if (scanner.at_object()) {
          element();
        } else {
          scanner.skip();
        }
      });
    });
  }

  void read_summary(JsonScanner& scanner) {
    scanner.object([&](std::string_view key) {
      if (key == "htp_resources" && scanner.at_object()) {
        each_element(scanner, [&] { read_resource(scanner); });
      } else if (scanner.at_number()) {
        const double value = scanner.number();
        if (is_measurement(value)) {
          builder_.total("summary", {}, key, unit_of(key)).value.add(value);
        }
      } else {
        scanner.skip();
      }
    });
  }

  void read_resource(JsonScanner& scanner) {
    UnitUse unit;
    scanner.object([&](std::string_view key) {
      if (key == "type" && scanner.at_string()) {
        unit.name = scanner.string();
      } else if (key == "cycles_used" && scanner.at_number()) {
        const double cycles = scanner.number();
        if (is_measurement(cycles)) unit.amount = cycles;
      } else {
        scanner.skip();
      }
    });
    const auto known = std::find_if(table_.units.begin(), table_.units.end(),
                                    [&](const UnitUse& use) { return use.name == unit.name; });
    if (known != table_.units.end()) {
      known->amount += unit.amount;
    } else if (!unit.name.empty()) {
      table_.units.push_back(unit);
    }
  }

  void read_operation(JsonScanner& scanner) {
    ++table_.lines;
    Operation operation;
    scanner.object([&](std::string_view key) {
      if (key == "qnn_op" && scanner.at_string()) {
        operation.name = scanner.string();
      } else if (key == "qnn_op_type" && scanner.at_string()) {
        operation.type = scanner.string();
      } else if (!scanner.at_number()) {
        scanner.skip();
      } else if (key == "cycles") {
        operation.cycles = scanner.number();
      } else if (key.starts_with(kCriticalPrefix)) {
        const double cycles = scanner.number();
        if (is_measurement(cycles)) operation.critical = std::max(operation.critical, 0.0) + cycles;
      } else if (key == "dram_read") {
        operation.dram_read = scanner.number();
      } else if (key == "dram_write") {
        operation.dram_write = scanner.number();
      } else {
        scanner.skip();
      }
    });
    add(operation);
  }

  void add(const Operation& operation) {
    if (operation.name.empty() || !is_measurement(operation.cycles)) {
      builder_.malformed(0, operation.name, "an operation without name or cycles");
      return;
    }
    ProfileRow& row = builder_.row({}, operation.name);
    row.value.add(operation.cycles);
    row.op = operation.type;
    row.backend = "HTP";
    if (operation.critical >= 0.0) {
      add_critical(row, operation.critical);
    }
    if (operation.dram_read >= 0.0) row.dram_read_bytes = bytes_of(operation.dram_read);
    if (operation.dram_write >= 0.0) row.dram_write_bytes = bytes_of(operation.dram_write);
  }
};

}  // namespace

ProfileTable read_qhas(std::string_view json, const std::string& origin) {
  ProfileTable table = read_json_cycles<Reader>(ProfileFormat::kQhas, json, origin);
  if (!table.rows.empty()) {
    table.findings.push_back(
        {.id = "cycles-not-time",
         .severity = Severity::kWarning,
         .where = origin,
         .reason = table.may_be_summed
                       ? "cycles on the dominant path add up to the run; they are no time by "
                         "themselves: time_us of the summary is"
                       : "busy cycles overlap, they cannot be turned into time nor added up: "
                         "time_us of the summary is the time",
         .fix =
             "share x time_us is what an operation costs where shares are of the dominant path"});
  }
  return table;
}

}  // namespace hexquant::profiling
