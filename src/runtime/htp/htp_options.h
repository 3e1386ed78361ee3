#pragma once

#include <cstdint>
#include <string>

#include "runtime/htp/htp_installation.h"
#include "runtime/session.h"

namespace hexquant::runtime {

/// What is asked of the vendor's compiler. Only options that its documentation names; the files
/// that they make lie in the worker's folder.
struct HtpOptions {
  int soc_model = 0;           ///< QNN's id of the chip; decides the HTP version
  int vtcm_mb = 0;             ///< always explicit, clamped by the caller to what the chip has
  int optimization = 3;        ///< htp_graph_finalization_optimization_mode, 1..3
  bool float16 = true;         ///< compute float parts in float16 (chips from v69 on)
  bool io_on_device = false;   ///< Q/DQ at the graph's borders inside the HTP graph
  bool cpu_fallback = true;    ///< false: a node for the CPU makes opening fail
  bool write_context = false;  ///< context.onnx (EPContext) and context_qnn.bin
  bool write_dlc = false;      ///< *.dlc instead of a compiled graph: nothing can be run then
  bool trace = false;          ///< qnn_op_trace.json, and the QNN graph as *.json
  bool estimate = false;       ///< profile.csv, profile_qnn.log (optrace), *_schematic.bin
  /// "basic" (whole inferences) or "detailed" (each operation): profile.csv of the inferences;
  /// empty = none. Not together with `estimate`, which takes the same file.
  std::string profiling = {};
  /// Messages from this level on go to the log: 0 verbose .. 3 error. 0 explains rejections.
  int log_level = 2;
};

// Names of the files.
inline constexpr const char* kContextModelFile = "context.onnx";
inline constexpr const char* kContextBinaryFile = "context_qnn.bin";
inline constexpr const char* kOperationTraceFile = "qnn_op_trace.json";
inline constexpr const char* kProfileCsvFile = "profile.csv";
inline constexpr const char* kProfileLogFile = "profile_qnn.log";
inline constexpr const char* kSchematicEnding = "_schematic.bin";  ///< one file a graph

/// The same in the provider's own words.
[[nodiscard]] ProviderOptions provider_options(const HtpInstallation& installation,
                                               const HtpOptions& options);

}  // namespace hexquant::runtime
