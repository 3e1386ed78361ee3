#include "profiling/ort_trace.h"

#include <algorithm>

#include "core/format.h"
#include "core/json_scanner.h"
#include "hexquant/error.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kKernel = "_kernel_time";
constexpr std::string_view kProvider = "ExecutionProvider";
constexpr std::string_view kCompiledPart = "(compiled part)";
constexpr std::string_view kRun = "model_run";

struct Event {
  std::string_view category;
  std::string_view name;
  std::string_view op;
  std::string_view provider;
  double duration_us = -1.0;
};

void read_arguments(JsonScanner& scanner, Event& event) {
  scanner.object([&](std::string_view key) {
    if (key == "op_name" && scanner.at_string()) {
      event.op = scanner.raw_string();
    } else if (key == "provider" && scanner.at_string()) {
      event.provider = scanner.raw_string();
    } else {
      scanner.skip();
    }
  });
}

Event read_event(JsonScanner& scanner) {
  Event event;
  scanner.object([&](std::string_view key) {
    if (key == "cat" && scanner.at_string()) {
      event.category = scanner.raw_string();
    } else if (key == "name" && scanner.at_string()) {
      event.name = scanner.raw_string();
    } else if (key == "dur" && scanner.at_number()) {
      event.duration_us = scanner.number();
    } else if (key == "args" && scanner.at_object()) {
      read_arguments(scanner, event);
    } else {
      scanner.skip();
    }
  });
  return event;
}

std::string_view provider_name(std::string_view provider) {
  if (provider.size() > kProvider.size() && provider.ends_with(kProvider)) {
    provider.remove_suffix(kProvider.size());
  }
  return provider;
}

/// The type of a part that a provider compiled ends in the hash of its graph:
/// "QNN_6424225938512288789_2".
bool is_compiled_part(std::string_view op) {
  constexpr std::ptrdiff_t kHashDigits = 10;
  std::ptrdiff_t digits = 0;
  for (const char c : op) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits == kHashDigits) return true;
  }
  return false;
}

void add_event(const Event& event, ProfileBuilder& builder) {
  const bool is_kernel = event.category == "Node" && event.name.ends_with(kKernel) &&
                         event.name.size() > kKernel.size();
  if (!is_kernel && event.category != "Session") return;
  if (!is_measurement(event.duration_us)) {
    builder.malformed(0, event.name, "an event without a duration");
  } else if (is_kernel) {
    ProfileRow& row = builder.row({}, event.name.substr(0, event.name.size() - kKernel.size()));
    row.value.add(event.duration_us);
    if (row.op.empty()) row.op = is_compiled_part(event.op) ? kCompiledPart : event.op;
    if (row.backend.empty()) row.backend = provider_name(event.provider);
  } else {
    builder.total("session", {}, event.name, "us").value.add(event.duration_us);
  }
}

/// Time of one run; with several threads in the executor, kernels overlap.
void set_amounts(ProfileTable& table) {
  const auto run = std::find_if(table.totals.begin(), table.totals.end(),
                                [](const ProfileTotal& total) { return total.name == kRun; });
  if (run == table.totals.end()) return;
  const Samples& runs = run->value;
  for (ProfileRow& row : table.rows) {
    row.amount = row.value.total / static_cast<double>(runs.count);
  }
  constexpr double kRounding = 1.02;  // durations are whole microseconds
  if (!(table.sum() > kRounding * runs.mean() + static_cast<double>(table.rows.size()))) return;
  table.may_be_summed = false;
  table.findings.push_back(
      {.id = "parallel-operations",
       .severity = Severity::kWarning,
       .where = table.sources.front(),
       .reason = format("the kernels of a run take {:.0f} us together, the run itself {:.0f} us: "
                        "they overlap, and their sum is no time",
                        table.sum(), runs.mean()),
       .fix = "take the latency from model_run, or profile with the sequential executor"});
}

}  // namespace

ProfileTable read_ort_trace(std::string_view json, const std::string& origin) {
  ProfileTable table{.format = ProfileFormat::kOrtTrace,
                     .sources = {origin},
                     .unit = ProfileUnit::kMicroseconds,
                     .is_time = true,
                     .may_be_summed = true};
  ProfileBuilder builder(table);
  JsonScanner scanner(json, origin);
  try {
    scanner.array([&] {
      ++table.lines;
      add_event(read_event(scanner), builder);
    });
  } catch (const Error& error) {  // what was read so far is still of use
    builder.malformed(0, json.substr(std::min(scanner.position(), json.size())), error.what());
  }
  builder.finish();
  set_amounts(table);
  return table;
}

}  // namespace hexquant::profiling
