#include "pipeline/htp_estimate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/format.h"
#include "pipeline/htp_estimate_findings.h"
#include "profiling/qnn_csv.h"
#include "profiling/schematic.h"
#include "runtime/htp/htp_options.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;

std::vector<profiling::Schematic> read_schematics(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().ends_with(runtime::kSchematicEnding))
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<profiling::Schematic> schematics;
  for (const fs::path& path : paths) schematics.push_back(profiling::read_schematic(path));
  return schematics;
}

NameSources read_names(const fs::path& folder, const profiling::QnnCsv& csv) {
  NameSources names{.schematics = read_schematics(folder), .op_rows = profiling::op_rows(csv)};
  const fs::path trace = folder / runtime::kOperationTraceFile;
  if (fs::exists(trace)) names.framework = formats::read_framework_trace(trace);
  return names;
}

HtpGraphEstimate estimate_graph(const profiling::CsvEstimate& figures, profiling::Optrace trace,
                                const graph::Graph& graph, const NameSources& names) {
  HtpGraphEstimate estimate{.figures = figures, .trace = std::move(trace)};
  estimate.layers = map_layers(estimate.trace, graph, names);
  estimate.times =
      profiling::layer_times(estimate.trace, estimate.layers.layer_of_event,
                             static_cast<int>(estimate.layers.layers.size()), figures.cycles.value);
  return estimate;
}

const char* bound_of(const profiling::UnitCycles& cycles, double idle) {
  const auto largest = std::max_element(cycles.begin(), cycles.end());
  if (!(*largest > idle)) return "idle";
  return profiling::hw_unit_name(static_cast<profiling::HwUnit>(largest - cycles.begin()));
}

}  // namespace

double HtpEstimate::clock_mhz() const noexcept {
  for (const HtpGraphEstimate& graph : graphs) {
    if (graph.trace.machine.clock_mhz > 0.0) return graph.trace.machine.clock_mhz;
  }
  return 0.0;
}

profiling::SimulatedFigure HtpEstimate::cycles() const noexcept {
  profiling::SimulatedFigure sum;
  for (const HtpGraphEstimate& graph : graphs) {
    sum.value += graph.figures.cycles.value;
    sum.lower += graph.figures.cycles.lower;
    sum.upper += graph.figures.cycles.upper;
  }
  return sum;
}

profiling::DdrBytes HtpEstimate::ddr_bytes() const noexcept {
  profiling::DdrBytes sum;
  for (const HtpGraphEstimate& graph : graphs) {
    const profiling::DdrBytes& bytes = graph.figures.ddr_bytes;
    sum.input_fill += bytes.input_fill;
    sum.intermediate_fill += bytes.intermediate_fill;
    sum.intermediate_spill += bytes.intermediate_spill;
    sum.output_spill += bytes.output_spill;
    sum.inter_htp_fill += bytes.inter_htp_fill;
    sum.inter_htp_spill += bytes.inter_htp_spill;
  }
  return sum;
}

std::int64_t HtpEstimate::missing_ops() const noexcept {
  std::int64_t sum = 0;
  for (const HtpGraphEstimate& graph : graphs) sum += graph.figures.missing_ops;
  return sum;
}

HtpEstimate::Time HtpEstimate::time_us() const noexcept {
  const double clock = clock_mhz();
  if (clock > 0.0) {
    const profiling::SimulatedFigure sum = cycles();
    return {static_cast<double>(sum.value) / clock, static_cast<double>(sum.lower) / clock,
            static_cast<double>(sum.upper) / clock};
  }
  Time time;
  for (const HtpGraphEstimate& graph : graphs) {
    time.value += static_cast<double>(graph.figures.time_us.value);
    time.lower += static_cast<double>(graph.figures.time_us.lower);
    time.upper += static_cast<double>(graph.figures.time_us.upper);
  }
  return time;
}

HtpEstimate read_htp_estimate(const fs::path& folder, const graph::Graph& graph,
                              const std::string& soc) {
  const target::Target target = target::load_target(soc);
  HtpEstimate estimate{.soc = target.soc.name, .htp_arch = target.soc.htp_arch};
  const profiling::QnnCsv csv = profiling::read_qnn_csv(folder / runtime::kProfileCsvFile);
  const std::vector<profiling::CsvEstimate> figures = profiling::csv_estimates(csv);
  const fs::path log = folder / runtime::kProfileLogFile;
  std::vector<profiling::Optrace> traces;
  if (!figures.empty() && fs::exists(log)) traces = profiling::read_optraces(log);
  const std::size_t trace_count = traces.size();
  // Both lists are in the order of compilation; if their lengths differ, which trace belongs to
  // which figures is not known.
  if (trace_count != figures.size()) traces.assign(figures.size(), {});
  const NameSources names = read_names(folder, csv);
  for (std::size_t g = 0; g < figures.size(); ++g) {
    estimate.graphs.push_back(estimate_graph(figures[g], std::move(traces[g]), graph, names));
  }
  estimate.findings = estimate_findings(
      estimate, graph, {.malformed_lines = csv.malformed_lines, .trace_count = trace_count});
  return estimate;
}

const char* bound_name(const profiling::RunTimes& times) {
  return bound_of(times.exclusive, static_cast<double>(times.idle));
}

const char* bound_name(const profiling::LayerTimes& times) {
  return bound_of(times.attributed, 0);
}

}  // namespace hexquant::pipeline
