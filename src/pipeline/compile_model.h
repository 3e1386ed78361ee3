#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "hexquant/tensor.h"
#include "pipeline/htp_estimate.h"
#include "pipeline/htp_model.h"
#include "runtime/htp/htp_worker_client.h"
#include "target/placement.h"
#include "target/soc.h"

namespace hexquant::pipeline {

/// What `hexquant compile` does, as data.
struct CompileRequest {
  std::string model;  ///< ONNX, quantized (Q/DQ) or float
  HtpRequest htp;
  std::map<std::string, Shape> input_shapes;  ///< see fix_dimensions
  bool io_on_device = false;                  ///< quantize inputs and outputs on the NPU
  bool dlc = false;              ///< write the vendor's .dlc container instead of a context binary
  bool estimate = false;         ///< ask for the vendor's estimate of cycles and traffic
  std::filesystem::path output;  ///< FILE.bin (or .dlc); FILE.onnx beside it. Empty: write nothing
};

struct CompiledFile {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
};

struct CompileResult {
  target::Soc soc;
  int vtcm_mb = 0;       ///< asked of the compiler
  int optimization = 0;  ///< likewise
  std::map<std::string, Shape> input_shapes;
  /// Why nothing was compiled; the placement says more.
  std::optional<runtime::HtpFailure> failure;
  double seconds = 0.0;                ///< of the vendor's compiler, reading the model included
  std::int64_t peak_memory_bytes = 0;  ///< of its process
  std::vector<CompiledFile> files;
  /// Where each node of the model runs, as the vendor's compiler decided.
  target::PlacementReport placement;
  /// The same by this program's own rules.
  target::PlacementReport predicted;
  std::optional<HtpEstimate> estimate;
  Findings findings;

  /// Bytes that did not fit VTCM and went to DDR and back; only the estimate tells.
  [[nodiscard]] std::optional<std::int64_t> spill_fill_bytes() const;
};

/// True for the quantization of an input or the dequantization of an output on the CPU: the
/// provider's default, and no sign of an operation that the NPU lacks.
[[nodiscard]] bool is_border_conversion(const target::Placement& node) noexcept;

/// The rules' answer to where the nodes of a model run.
struct PlacementPrediction {
  target::Soc soc;
  target::PlacementReport placement;
};
/// Needs no simulator. Free dimensions are fixed as for the compilation.
[[nodiscard]] PlacementPrediction predict_compilation(const CompileRequest& request);

/// Compiles a model with the vendor's compiler in a process of its own.
///
/// A model that the compiler rejects, or that crashes or hangs it, is a result with `failure`, and
/// nothing is written then.
/// @throws Error(kMissingComponent) without the vendor's package; Error(kInvalidArgument),
///         Error(kInvalidModel), Error(kIo) for what is wrong before the compiler is asked
[[nodiscard]] CompileResult compile_model(const CompileRequest& request,
                                          ProgressSink& progress = silent_progress());

}  // namespace hexquant::pipeline
