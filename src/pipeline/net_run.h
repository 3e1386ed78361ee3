#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "hexquant/tensor.h"
#include "pipeline/net_run_sources.h"
#include "runtime/latency.h"
#include "runtime/repeated_run.h"

namespace hexquant::pipeline {

/// Types of the files that outputs are written to, by qnn-net-run's names.
enum class OutputFiles : std::uint8_t { kFloatOnly, kNativeOnly, kFloatAndNative };

/// What is timed besides the latency, on a few inferences of their own.
enum class Profiling : std::uint8_t {
  kOff,
  kCalls,  ///< HTP: the parts of each inference; nothing more on the CPU
  kNodes   ///< each operation
};

/// What `hexquant net-run` does, as data; the options of qnn-net-run where they have a meaning
/// without a device.
struct NetRunRequest {
  NetRunSources sources;
  std::map<std::string, Shape> input_shapes;  ///< of inputs with free dimensions
  std::string input_list;                     ///< QNN input list; empty = seeded random inputs
  bool native_input_files = false;
  OutputFiles output_files = OutputFiles::kFloatOnly;
  std::filesystem::path output_dir;  ///< empty: write nothing
  std::int64_t keep_outputs = -1;    ///< sets of which outputs are written; -1 = all
  std::int64_t batch_multiplier = 1;
  bool all_layers = false;     ///< every activation is an output (--debug)
  bool shared_buffer = false;  ///< inputs and outputs in shared memory, not copied
  Profiling profile = Profiling::kOff;
  runtime::RepeatOptions repeat;  ///< runs = 0: each set once
  int threads = 1;
  std::uint64_t seed = 0;
};

/// What shared memory spares: the same inferences by a client that copies its inputs in and its
/// outputs out.
struct CopyComparison {
  std::string backend;     ///< of the buffers: "dma-heap" ... "memfd"
  std::int64_t bytes = 0;  ///< that an inference would copy
  double shared_us = 0.0;  ///< median
  double copied_us = 0.0;  ///< median, on as many runs in turn
};

struct NetRunResult {
  std::vector<Mapping> mappings;
  std::string model;   ///< file that ran
  std::string device;  ///< cpu | htp
  std::string soc;     ///< of the simulated chip; empty on the CPU
  bool is_quantized = false;
  std::int64_t sets = 0;          ///< different inputs
  std::int64_t inputs_bytes = 0;  ///< of one set
  double load_seconds = 0.0;
  runtime::RepeatResult runs;
  runtime::Latency latency;
  runtime::Latency warmup;
  std::optional<CopyComparison> copies;
  std::int64_t peak_memory_bytes = 0;
  std::vector<std::filesystem::path> folders;    ///< Result_i
  std::optional<std::filesystem::path> profile;  ///< for `hexquant profile`
  Findings findings;
};

/// Runs a model as often as asked, checks that it answers the same each time, and writes outputs.
///
/// @throws Error(kInvalidArgument) for options that do not fit each other or the model,
///         Error(kInvalidData), Error(kInvalidModel), Error(kIo);
///         Error(kMissingComponent) when the HTP is asked for and not installed
[[nodiscard]] NetRunResult net_run(const NetRunRequest& request, ProgressSink& progress);

/// As in docs/schema/net-run.schema.json, without the header.
[[nodiscard]] Json to_json(const NetRunResult& result);

}  // namespace hexquant::pipeline
