#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "data/dataset.h"
#include "evaluate/difference.h"
#include "graph/graph.h"
#include "hexquant/progress.h"
#include "runtime/inference_session.h"

namespace hexquant::evaluate {

/// One tensor of the float model against the same tensor of the quantized model, with all the error
/// that the layers before it have left in it.
struct LayerDifference {
  std::string tensor;     ///< name in the reference
  std::string quantized;  ///< name in the quantized model
  std::string node;       ///< node of the reference that computes it; empty for a graph input
  std::string op;         ///< its type; "Input" for a graph input
  Difference difference;
};

/// Pairs of values that mean the same, by name in `reference`: a value that carries a Q/DQ pair in
/// `quantized` is paired with the output of its DequantizeLinear, a graph output with itself.
///
/// Found by structure, for models whose quantizer kept the value names (insert_qdq, and
/// ONNX Runtime's and Qualcomm's tools when the graph was not changed otherwise). Values between
/// pairs, inside a fused group, are left out: reading them would undo the fusion.
[[nodiscard]] std::map<std::string, std::string> match_values(const graph::Graph& reference,
                                                              const graph::Graph& quantized);

/// Every value of a quantized model that comes out of an activation's DequantizeLinear, paired with
/// itself: to compare two runs of one model.
[[nodiscard]] std::map<std::string, std::string> activation_values(const graph::Graph& quantized);

struct LayerOptions {
  std::int64_t samples = 0;  ///< at most; 0 = all
  int threads = 1;           ///< results do not depend on it
  /// Tensors read at once, in bytes for each thread: when a model has more, the samples are run
  /// several times. Free dimensions count as 1.
  std::int64_t budget_bytes = 256LL << 20;
  /// Opens the quantized model with these values as outputs, where it is not to run on the CPU.
  std::function<std::unique_ptr<runtime::InferenceSession>(const std::vector<std::string>& values)>
      open_quantized = {};
};

/// Differences of all paired tensors, in the reference's order (graph inputs first).
///
/// Nothing is kept but sums, so memory depends on the tensors of one sample only.
/// @param pairs  value of the reference -> value of `quantized`, see match_values
/// @throws Error(kInvalidArgument) when `pairs` is empty or names an unknown value;
///         Error(kInvalidModel) naming the tensor when two paired values differ in shape
[[nodiscard]] std::vector<LayerDifference> compare_layers(
    const graph::Graph& reference, const graph::Graph& quantized,
    const std::map<std::string, std::string>& pairs, const data::Dataset& dataset,
    const LayerOptions& options = {}, ProgressSink& progress = silent_progress());

/// Array of {"tensor", "node", "op", "sqnr_db", "exact", "cosine", "mse", "max_abs", ...}.
[[nodiscard]] Json to_json(const std::vector<LayerDifference>& layers);

}  // namespace hexquant::evaluate
