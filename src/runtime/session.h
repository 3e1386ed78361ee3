#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/tensor.h"

namespace hexquant::runtime {

/// Inputs of one inference, by graph input name.
using Feeds = std::map<std::string, Tensor>;

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
};

struct ValueSpec {
  std::string name;
  DType dtype = DType::kUndefined;
  std::vector<graph::Dim> shape;
};

/// One loaded model on the CPU. `run` may be called from several threads at once.
class Session {
 public:
  /// @param outputs  values to return, in this order; empty = the graph's own outputs. Any value of
  ///                 the graph can be asked for (tapped), inputs and initializers too.
  /// @throws Error(kInvalidModel) with ONNX Runtime's reason in one line
  Session(const graph::Graph& graph, const SessionOptions& options,
          const std::vector<std::string>& outputs = {});
  Session(const std::filesystem::path& model, const SessionOptions& options);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  [[nodiscard]] const std::vector<ValueSpec>& inputs() const noexcept;
  [[nodiscard]] const std::vector<ValueSpec>& outputs() const noexcept;

  /// Values of all outputs, in order. Buffers belong to the result; nothing is copied.
  /// @throws Error(kInvalidData) when a feed is missing or has the wrong type or shape
  [[nodiscard]] std::vector<Tensor> run(const Feeds& feeds) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Version of the loaded ONNX Runtime library, e.g. "1.32.0".
[[nodiscard]] std::string runtime_version();

}  // namespace hexquant::runtime
