#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/finding_json.h"
#include "pipeline/htp_estimate.h"

namespace hexquant::pipeline {
namespace {

using profiling::HwUnit;

double to_nanosecond(double us) {
  return std::round(us * 1000.0) / 1000.0;
}

/// Cycles -> microseconds rounded to a nanosecond; null without a clock.
class Clock {
 public:
  explicit Clock(double mhz) : mhz_(mhz) {}
  [[nodiscard]] Json us(double cycles) const {
    if (mhz_ <= 0.0) return nullptr;
    return to_nanosecond(cycles / mhz_);
  }
  [[nodiscard]] Json us(std::int64_t cycles) const { return us(static_cast<double>(cycles)); }

 private:
  double mhz_;
};

/// A value for each unit: "hmx_us", "hvx_us", "dma_us", "control_us".
template <typename Values>
void add_units(const Clock& clock, const Values& values, Json& json) {
  for (std::size_t unit = 0; unit < values.size(); ++unit) {
    json[std::string(profiling::hw_unit_name(static_cast<HwUnit>(unit))) + "_us"] =
        clock.us(values[unit]);
  }
}

Json layer_json(const HtpLayer& layer, const profiling::LayerTimes& times, std::size_t graph,
                double whole_cycles, const Clock& clock) {
  const double cycles = times.attributed_cycles();
  Json json = {{"name", layer.name},
               {"op", layer.op},
               {"kind", layer_kind_name(layer.kind)},
               {"onnx_nodes", layer.onnx_nodes},
               {"qnn_ops", layer.qnn_ops},
               {"graph", graph},
               {"time_us", clock.us(cycles)},
               {"share", whole_cycles > 0.0 ? cycles / whole_cycles : 0.0},
               {"bound", bound_name(times)},
               {"start_us", clock.us(times.start)},
               {"span_us", clock.us(times.end - times.start)}};
  add_units(clock, times.busy, json);
  json["hvx_thread_us"] = clock.us(times.hvx_thread_cycles);
  json["dram_read_bytes"] = times.dram_read_bytes;
  json["dram_write_bytes"] = times.dram_write_bytes;
  json["dma_read_bytes"] = times.dma_read_bytes;
  json["dma_write_bytes"] = times.dma_write_bytes;
  json["vtcm_peak_bytes"] = times.vtcm_peak_bytes;
  json["hardware_ops"] = times.hardware_ops;
  json["tiles"] = times.tiles;
  return json;
}

double whole_cycles(const HtpEstimate& estimate) {
  return std::accumulate(estimate.graphs.begin(), estimate.graphs.end(), 0.0,
                         [](double sum, const HtpGraphEstimate& graph) {
                           return sum + static_cast<double>(graph.times.cycles);
                         });
}

/// The most time first.
Json layers_json(const HtpEstimate& estimate, const Clock& clock) {
  const double whole = whole_cycles(estimate);
  std::vector<Json> rows;
  for (std::size_t g = 0; g < estimate.graphs.size(); ++g) {
    const HtpGraphEstimate& graph = estimate.graphs[g];
    for (std::size_t l = 0; l < graph.layers.layers.size(); ++l) {
      rows.push_back(layer_json(graph.layers.layers[l], graph.times.layers[l], g, whole, clock));
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return a["share"].get<double>() > b["share"].get<double>();
  });
  return Json(rows);
}

Json ddr_json(const profiling::DdrBytes& bytes) {
  return {{"input_fill", bytes.input_fill},
          {"intermediate_fill", bytes.intermediate_fill},
          {"intermediate_spill", bytes.intermediate_spill},
          {"output_spill", bytes.output_spill},
          {"inter_htp_fill", bytes.inter_htp_fill},
          {"inter_htp_spill", bytes.inter_htp_spill}};
}

Json machine_json(const profiling::SimulatedMachine& machine) {
  return {{"soc", machine.soc},
          {"base_soc", machine.base_soc},
          {"vtcm_bytes", machine.vtcm_bytes},
          {"hvx_threads", machine.hvx_threads}};
}

/// Where the time of all graphs goes: "time_split" adds up to the whole, "busy" overlaps.
void add_utilization(const HtpEstimate& estimate, const Clock& clock, Json& json) {
  profiling::RunTimes sum;
  for (const HtpGraphEstimate& graph : estimate.graphs) {
    for (std::size_t unit = 0; unit < sum.exclusive.size(); ++unit) {
      sum.exclusive[unit] += graph.times.exclusive[unit];
      sum.busy[unit] += graph.times.busy[unit];
    }
    sum.idle += graph.times.idle;
    sum.vtcm_peak_bytes = std::max(sum.vtcm_peak_bytes, graph.times.vtcm_peak_bytes);
  }
  Json split = Json::object();
  add_units(clock, sum.exclusive, split);
  split["idle_us"] = clock.us(sum.idle);
  Json busy = Json::object();
  add_units(clock, sum.busy, busy);
  json["bound"] = bound_name(sum);
  json["time_split"] = std::move(split);
  json["busy"] = std::move(busy);
  json["vtcm_peak_bytes"] = sum.vtcm_peak_bytes;
}

bool has_trace(const HtpEstimate& estimate) {
  return std::any_of(estimate.graphs.begin(), estimate.graphs.end(),
                     [](const HtpGraphEstimate& graph) { return !graph.trace.events.empty(); });
}

}  // namespace

Json to_json(const HtpEstimate& estimate) {
  Json json = {{"soc", estimate.soc},
               {"htp_arch", estimate.htp_arch},
               {"available", estimate.is_available()},
               {"is_measurement", false}};
  if (estimate.is_available()) {
    const profiling::SimulatedFigure cycles = estimate.cycles();
    const HtpEstimate::Time time = estimate.time_us();
    const double mhz = estimate.clock_mhz();
    json.update({{"cycles", cycles.value},
                 {"cycles_lower", cycles.lower},
                 {"cycles_upper", cycles.upper},
                 {"time_us", to_nanosecond(time.value)},
                 {"lower_us", to_nanosecond(time.lower)},
                 {"upper_us", to_nanosecond(time.upper)},
                 {"clock_mhz", mhz > 0.0 ? Json(mhz) : Json(nullptr)},
                 {"ddr_bytes", ddr_json(estimate.ddr_bytes())},
                 {"missing_ops", estimate.missing_ops()},
                 {"graphs", estimate.graphs.size()}});
    if (has_trace(estimate)) {
      const Clock clock(mhz);
      json["machine"] = machine_json(estimate.graphs.front().trace.machine);
      add_utilization(estimate, clock, json);
      json["layers"] = layers_json(estimate, clock);
    } else {
      json["layers"] = Json::array();
    }
  }
  json["findings"] = findings_json(estimate.findings);
  return json;
}

}  // namespace hexquant::pipeline
