#include "profiling/chrome_trace.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "core/json_scanner.h"
#include "profiling/json_profile.h"

namespace hexquant::profiling {
namespace {

struct Interval {
  std::string_view phase;
  std::string_view id;
  std::string_view qnn_name;
  std::string_view qnn_type;
  std::vector<std::string_view> flags;
  double start = 0.0;
  double duration = -1.0;
  double critical = -1.0;
  std::int64_t thread = 0;
};

/// What the copies of an interval on several tracks share. The views point into the text.
struct Identity {
  std::string_view id;
  std::string_view name;
  std::int64_t thread = 0;
  double start = 0.0;
  double duration = 0.0;
  friend bool operator==(const Identity&, const Identity&) = default;
};

struct IdentityHash {
  std::size_t operator()(const Identity& identity) const noexcept {
    constexpr std::size_t kOdd = 1099511628211U;
    std::size_t hash = std::hash<std::string_view>{}(identity.id);
    hash = hash * kOdd ^ std::hash<double>{}(identity.start);
    return hash * kOdd ^ static_cast<std::size_t>(identity.thread);
  }
};

/// A number, also one written as a string ("1234"), as some versions do.
double number_or(JsonScanner& scanner, double fallback) {
  if (scanner.at_number()) return scanner.number();
  if (!scanner.at_string()) {
    scanner.skip();
    return fallback;
  }
  const std::string_view text = scanner.raw_string();
  JsonScanner inner(text, "number");
  return inner.at_number() ? inner.number() : fallback;
}

void read_flags(JsonScanner& scanner, Interval& interval) {
  scanner.array([&] {
    if (scanner.at_string()) {
      interval.flags.push_back(scanner.raw_string());
    } else {
      scanner.skip();
    }
  });
}

void read_arguments(JsonScanner& scanner, Interval& interval) {
  scanner.object([&](std::string_view key) {
    if (key == "QNN Op Name" && scanner.at_string()) {
      interval.qnn_name = scanner.raw_string();
    } else if (key == "QNN Op Type" && scanner.at_string()) {
      interval.qnn_type = scanner.raw_string();
    } else if (key == "ID" && scanner.at_string()) {
      interval.id = scanner.raw_string();
    } else if (key == "Dominant Path Cycles") {
      interval.critical = number_or(scanner, -1.0);
    } else if (key == "Flags" && scanner.at_array()) {
      read_flags(scanner, interval);
    } else {
      scanner.skip();
    }
  });
}

Interval read_interval(JsonScanner& scanner) {
  Interval interval;
  scanner.object([&](std::string_view key) {
    if (key == "ph" && scanner.at_string()) {
      interval.phase = scanner.raw_string();
    } else if (key == "ts") {
      interval.start = number_or(scanner, 0.0);
    } else if (key == "dur") {
      interval.duration = number_or(scanner, -1.0);
    } else if (key == "tid" && scanner.at_number()) {
      interval.thread = scanner.integer();
    } else if (key == "args" && scanner.at_object()) {
      read_arguments(scanner, interval);
    } else {
      scanner.skip();
    }
  });
  return interval;
}

void add_resource(ProfileRow& row, const char* name) {
  if (std::find(row.resources.begin(), row.resources.end(), name) == row.resources.end()) {
    row.resources.emplace_back(name);
  }
}

class Reader : public CycleReader {
 public:
  using CycleReader::CycleReader;

  void read(JsonScanner& scanner) {
    scanner.object([&](std::string_view key) {
      if (key != "traceEvents" || !scanner.at_array()) {
        scanner.skip();
        return;
      }
      scanner.array([&] {
        ++table_.lines;
        add(read_interval(scanner));
      });
    });
  }

  void finish() {
    finish_rows();
    if (end_ > start_) {
      builder_.total("execute", {}, "timeline", "cycles").value.add(end_ - start_);
    }
  }

 private:
  void add(const Interval& interval) {
    if (interval.phase != "X" || interval.qnn_name.empty()) return;
    const double end = interval.start + interval.duration;
    if (!is_measurement(interval.duration) || !is_measurement(interval.start)) {
      builder_.malformed(0, interval.qnn_name, "an interval without a duration");
      return;
    }
    const Identity identity{interval.id, interval.qnn_name, interval.thread, interval.start,
                            interval.duration};
    if (!seen_.insert(identity).second) return;
    start_ = seen_.size() == 1 ? interval.start : std::min(start_, interval.start);
    end_ = std::max(end_, end);
    ProfileRow& row = builder_.row({}, interval.qnn_name);
    row.value.add(interval.duration);
    if (is_measurement(interval.critical)) {
      add_critical(row, interval.critical);
    }
    row.backend = "HTP";
    if (row.op.empty()) row.op = interval.qnn_type;
    for (const std::string_view flag : interval.flags) {
      if (flag.find("hmx") != std::string_view::npos) add_resource(row, "HMX");
      if (flag.find("hvx") != std::string_view::npos) add_resource(row, "HVX");
      if (flag.find("dma") != std::string_view::npos) add_resource(row, "DMA");
    }
  }

  std::unordered_set<Identity, IdentityHash> seen_;
  double start_ = 0.0;
  double end_ = 0.0;
};

}  // namespace

ProfileTable read_chrome_trace(std::string_view json, const std::string& origin) {
  ProfileTable table = read_json_cycles<Reader>(ProfileFormat::kChromeTrace, json, origin);
  if (!table.rows.empty()) {
    table.findings.push_back(
        {.id = "cycles-not-time",
         .severity = Severity::kWarning,
         .where = origin,
         .reason =
             table.may_be_summed
                 ? "cycles on the dominant path add up to the run, but only the clock of the "
                   "moment, which no file tells, would make time of them"
                 : "the trace has no 'Dominant Path Cycles': busy cycles overlap, they cannot "
                   "be turned into time nor added up",
         .fix = "take the time of an inference from 'Accelerator (execute) time' or QHAS"});
  }
  return table;
}

}  // namespace hexquant::profiling
