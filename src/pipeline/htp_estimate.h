#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "pipeline/htp_layers.h"
#include "profiling/csv_estimate.h"
#include "profiling/layer_times.h"
#include "profiling/optrace.h"

namespace hexquant::pipeline {

/// One compiled graph of the model (a model with nodes on the CPU has several).
struct HtpGraphEstimate {
  profiling::CsvEstimate figures = {};
  profiling::Optrace trace = {};  ///< empty when the profile holds none
  HtpLayers layers = {};          ///< of the trace
  profiling::RunTimes times = {};
};

/// The vendor's performance estimate of a compiled model: a simulation, never a measurement.
struct HtpEstimate {
  std::string soc = {};       ///< chip that was asked for
  std::string htp_arch = {};  ///< "v73"
  /// One for each compiled graph, in the order of compilation; empty when the chip has no estimate.
  std::vector<HtpGraphEstimate> graphs = {};
  Findings findings = {};

  [[nodiscard]] bool is_available() const noexcept { return !graphs.empty(); }
  /// Simulated core clock; 0 when no trace tells it.
  [[nodiscard]] double clock_mhz() const noexcept;
  /// Sums over the graphs, which run one after the other.
  [[nodiscard]] profiling::SimulatedFigure cycles() const noexcept;
  [[nodiscard]] profiling::DdrBytes ddr_bytes() const noexcept;
  [[nodiscard]] std::int64_t missing_ops() const noexcept;
  /// Microseconds at clock_mhz(); without a clock the whole microseconds of the profile.
  struct Time {
    double value = 0.0;
    double lower = 0.0;
    double upper = 0.0;
  };
  [[nodiscard]] Time time_us() const noexcept;
};

/// Reads what a compilation with estimates left in `folder` (see runtime::HtpOptions: estimate and
/// trace): profile.csv, and where they are there profile_qnn.log, *_schematic.bin and
/// qnn_op_trace.json.
///
/// Chips without estimates give a result without graphs and a finding that names chips that have
/// them. Doubts (operations without cost, a broken trace, sums that differ) are findings too.
/// @param graph  the ONNX graph that was compiled
/// @throws Error(kIo) when there is no profile.csv, Error(kInvalidData) when it or the framework
/// trace is of another format, Error(kInvalidArgument) for an unknown chip
[[nodiscard]] HtpEstimate read_htp_estimate(const std::filesystem::path& folder,
                                            const graph::Graph& graph, const std::string& soc);

/// What bounds the run or a layer: the unit with the most time of its own, or "idle".
[[nodiscard]] const char* bound_name(const profiling::RunTimes& times);
[[nodiscard]] const char* bound_name(const profiling::LayerTimes& times);

/// As in docs/schema/estimate.schema.json.
[[nodiscard]] Json to_json(const HtpEstimate& estimate);

/// Intervals of all lanes and the use of VTCM, for the timeline of the report; null without a
/// trace. Neighbours on a lane are merged until at most `max_events` are left, so that a page of
/// any model stays small.
[[nodiscard]] Json timeline_json(const HtpEstimate& estimate, std::size_t max_events = 20000);

}  // namespace hexquant::pipeline
