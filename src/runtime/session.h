#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/tensor.h"
#include "runtime/inference_session.h"

namespace hexquant::runtime {

/// An execution-provider plug-in that a session uses where it can, the CPU elsewhere.
struct ProviderOptions {
  std::string name;                                    ///< under which it is registered
  std::filesystem::path library;                       ///< the plug-in
  std::map<std::string, std::string> options;          ///< as the provider documents them
  std::map<std::string, std::string> session_entries;  ///< "session.*" and "ep.*" entries
};

struct SessionOptions {
  /// Threads inside one inference. 1 keeps results independent of the machine's core count.
  int threads = 1;
  /// ONNX Runtime's graph optimizations. Off = the graph is computed node by node, as written.
  bool optimize = true;
  /// Integer kernels that do not saturate: session.x64quantprecision=1 where the processor needs it
  /// (see integer_kernels_saturate). Only tests that show the trap switch it off.
  bool exact_integers = true;
  /// Replace Q/DQ pairs by integer kernels (8 bits). Off = float kernels between the Q/DQ nodes,
  /// weights dequantized once: what 16-bit and 4-bit codes need, for which there are no kernels.
  bool integer_kernels = true;
  /// Load without kernels, for the types of values: inputs() and outputs() answer, run() does not.
  /// Less than half of the time (needs ONNX Runtime 1.22; older ones make the kernels).
  bool types_only = false;
  /// Messages from this level on reach the log (see set_log_sink): 0 verbose .. 3 error.
  int log_level = 3;
  /// ONNX Runtime times every node and writes PREFIX_<date>.json when the session ends. Empty: no.
  std::filesystem::path profile_prefix = {};
  /// Plug-in to load into this process; only htp_worker does that.
  std::optional<ProviderOptions> provider = std::nullopt;
};

/// One loaded model on the CPU.
class Session final : public InferenceSession {
 public:
  /// @param outputs  values to return, in this order; empty = the graph's own outputs. Any value of
  ///                 the graph can be asked for (tapped), inputs and initializers too.
  /// @throws Error(kInvalidModel) with ONNX Runtime's reason in one line
  Session(graph::Graph graph, const SessionOptions& options,
          const std::vector<std::string>& outputs = {});
  Session(const std::filesystem::path& model, const SessionOptions& options);
  ~Session() override;
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  [[nodiscard]] const std::vector<ValueSpec>& inputs() const noexcept override;
  [[nodiscard]] const std::vector<ValueSpec>& outputs() const noexcept override;
  /// Nothing is copied.
  [[nodiscard]] std::vector<Tensor> run(const Feeds& feeds) const override;

 private:
  friend class BoundRun;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Takes ONNX Runtime's messages: where in its sources, and what. Called from any thread.
using LogSink = void (*)(const char* place, const char* message);

/// Hands ONNX Runtime's messages on instead of dropping them. To be called before the first session
/// of the process; only htp_worker does.
void set_log_sink(LogSink sink);

/// Version of the loaded ONNX Runtime library, e.g. "1.32.0".
[[nodiscard]] std::string runtime_version();

}  // namespace hexquant::runtime
