#include "profiling/optrace_table.h"

#include <array>
#include <unordered_map>
#include <utility>

#include "core/format.h"
#include "profiling/layer_times.h"
#include "profiling/optrace.h"

namespace hexquant::profiling {
namespace {

constexpr std::array<const char*, kHwUnitCount> kUnitNames = {"HMX", "HVX", "DMA", "control"};

/// Operations of the trace in the order of their first event, and which each event belongs to.
struct Operations {
  std::vector<std::uint32_t> ids;
  std::vector<int> of_event;
};

Operations operations_of(const Optrace& trace) {
  Operations operations;
  std::unordered_map<std::uint32_t, int> places;
  operations.of_event.reserve(trace.events.size());
  for (const TraceEvent& event : trace.events) {
    const auto [place, is_new] =
        places.emplace(event.op_id(), static_cast<int>(operations.ids.size()));
    if (is_new) operations.ids.push_back(event.op_id());
    operations.of_event.push_back(place->second);
  }
  return operations;
}

void add_rows(const Operations& operations, const RunTimes& run, const std::string& graph,
              ProfileBuilder& builder) {
  for (std::size_t o = 0; o < operations.ids.size(); ++o) {
    const LayerTimes& times = run.layers[o];
    ProfileRow& row = builder.row(graph, name_of_op_id(operations.ids[o]));
    row.op_id = operations.ids[o];
    row.backend = "HTP";
    row.value.add(times.attributed_cycles());
    row.dram_read_bytes = times.dram_read_bytes;
    row.dram_write_bytes = times.dram_write_bytes;
    for (std::size_t unit = 0; unit < 3; ++unit) {
      if (times.busy[unit] > 0) row.resources.emplace_back(kUnitNames[unit]);
    }
  }
}

void add_totals(const Optrace& trace, const RunTimes& run, ProfileBuilder& builder) {
  const auto cycles = static_cast<double>(run.cycles);
  const auto add = [&](const char* name, const char* unit, double value) {
    builder.total("estimate", trace.graph_name, name, unit).value.add(value);
  };
  add("cycles", "cycles", cycles);
  if (trace.machine.clock_mhz > 0.0) {
    add("time", "us", cycles / trace.machine.clock_mhz);
    add("clock", "MHz", trace.machine.clock_mhz);
  }
  add("VTCM peak", "bytes", static_cast<double>(run.vtcm_peak_bytes));
}

void add_units(const RunTimes& run, std::vector<UnitUse>& units) {
  if (units.empty()) {
    for (const char* name : kUnitNames) units.push_back({name, 0.0});
    units.push_back({"idle", 0.0});
  }
  for (std::size_t unit = 0; unit < kUnitNames.size(); ++unit) {
    units[unit].amount += run.exclusive[unit];
  }
  units.back().amount += static_cast<double>(run.idle);
}

}  // namespace

std::string name_of_op_id(std::uint32_t op_id) {
  return format("OpId {}", op_id);
}

ProfileTable read_qnn_log(std::string_view bytes, const std::string& origin) {
  ProfileTable table{.format = ProfileFormat::kQnnLog,
                     .sources = {origin},
                     .unit = ProfileUnit::kCycles,
                     .may_be_summed = true};
  ProfileBuilder builder(table);
  for (const Optrace& trace : parse_optraces(bytes)) {
    if (trace.is_truncated) builder.malformed(0, trace.graph_name, "the trace breaks off");
    table.lines += static_cast<std::int64_t>(trace.events.size());
    const Operations operations = operations_of(trace);
    const RunTimes run =
        layer_times(trace, operations.of_event, static_cast<int>(operations.ids.size()), 0);
    add_rows(operations, run, trace.graph_name, builder);
    add_totals(trace, run, builder);
    add_units(run, table.units);
  }
  builder.finish();
  if (table.rows.empty()) {
    table.findings.push_back(
        {.id = "no-trace",
         .severity = Severity::kWarning,
         .where = origin,
         .reason = "this binary log holds no trace, and the rest of its format is not documented",
         .fix =
             "convert it with the SDK: qnn-profile-viewer --input_log FILE, and give its text or "
             "CSV; or give the profile.csv that was written beside it"});
    return table;
  }
  table.findings.push_back(
      {.id = "simulation",
       .severity = Severity::kInfo,
       .where = origin,
       .reason = "these cycles are the vendor's simulation, an estimate and not a measurement; a "
                 "row is the share of the run that is charged to the operation",
       .fix = ""});
  return table;
}

}  // namespace hexquant::profiling
