#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "qat/batch_norm.h"
#include "quant/quant_plan.h"

namespace hexquant::qat {

/// How a network is computed.
enum class Mode {
  kFloat,      ///< as the float graph says
  kQuantized,  ///< every tensor of the encodings rounded to its grid, as in the QDQ model
  kTraining    ///< the same, but normalized by the batch where NormMode::kKept says so
};

struct NetworkOptions {
  /// Codes of weights whose encoding has 4 bits: 4, or 2 for the codes -2 ... 1 alone (research:
  /// they are stored as int4 all the same). Their first scales are then chosen anew.
  int narrow_weight_bits = 4;
  NormMode norm_mode = NormMode::kFolded;
  std::vector<BatchNorm> norms = {};  ///< folded ones that are trained as norm_mode says
};

/// A tensor that training changes; `name` is that of the graph's value, `tensor` a leaf that
/// requires a gradient. Change it in place only (copy_, add_ under NoGradGuard): the network holds
/// it.
struct Parameter {
  std::string name;
  torch::Tensor tensor;
  /// Typical size of its elements at the start: 1 step of an optimizer that normalizes gradients
  /// (Adam) is meant relative to it.
  double magnitude = 0.0;
};

struct ForwardResult {
  std::vector<torch::Tensor> outputs;  ///< in the order of the graph's outputs
  std::vector<torch::Tensor> taps;     ///< in the order in which they were asked for
};

/// A float graph as a function that LibTorch can differentiate, with learned quantization on it.
///
/// A quantized value is y = (clamp(round_half_even(x / scale) + zero_point, q_min, q_max) -
/// zero_point) * scale, the arithmetic of quant/fake_quant.h bit for bit; gradients are those of
/// qat/fake_quantize.h. Biases with an int32 encoding stay float while training: their grid is
/// finer than float arithmetic. Movable; copies would share parameters.
class TrainableNetwork {
 public:
  /// @param graph      prepared float graph (passes::prepare), weights float or on their grids
  /// @param plan       made for it: which encodings are shared, fixed, derived
  /// @param encodings  of all activations, edges and weights: where the ranges start. Without any
  ///                   (empty plan and table) the network is the float model, for distillation.
  /// @throws Error(kUnsupported) naming every node that cannot be trained, and why;
  ///         Error(kInvalidArgument) when an encoding does not fit its tensor
  [[nodiscard]] static TrainableNetwork make(const graph::Graph& graph,
                                             const quant::QuantPlan& plan,
                                             const quant::EncodingTable& encodings,
                                             const NetworkOptions& options = {});
  ~TrainableNetwork();
  TrainableNetwork(TrainableNetwork&&) noexcept;
  TrainableNetwork& operator=(TrainableNetwork&&) noexcept;

  /// Values of the outputs for one batch. A gradient is recorded unless a NoGradGuard is active.
  /// @param inputs  one for each graph input, in that order, with the graph's element types
  /// @param taps    values of the graph whose float or quantized values are wanted too
  /// @throws Error(kInvalidData) when the inputs do not fit; Error(kUnsupported) naming the node
  /// whose
  ///         arithmetic fails, with LibTorch's reason
  [[nodiscard]] ForwardResult forward(const std::vector<torch::Tensor>& inputs, Mode mode,
                                      const std::vector<std::string>& taps = {}) const;

  /// Weights, biases, parameters of normalizations. Where a BatchNorm is trained beside its layer,
  /// the weight is the one before folding.
  [[nodiscard]] const std::vector<Parameter>& weights() const noexcept;
  /// Scales ([n]: symmetric encodings and ranges from 0) and ranges ([2]: lowest and highest value,
  /// each divided by the number of steps): one entry for each group of tensors that share an
  /// encoding. Fixed ones are not among them.
  [[nodiscard]] const std::vector<Parameter>& ranges() const noexcept;
  /// Means and variances of kept BatchNorms: changed by forward(kTraining), not by an optimizer.
  /// Empty unless NormMode::kKept.
  [[nodiscard]] const std::vector<Parameter>& statistics() const noexcept;
  /// From here on forward(kTraining) averages the batches' statistics instead of changing them.
  void begin_estimate();
  /// The average takes their place. @param means_only  variances stay
  void end_estimate(bool means_only);
  /// Back into their legal set (scale > 0, min <= 0 <= max): to be called after an optimizer's
  /// step.
  void project_ranges();

  /// Values behind the network's blocks, outputs of residual Adds or else of layers, in order: what
  /// block-wise distillation compares.
  [[nodiscard]] std::vector<std::string> block_outputs() const;
  /// Size of the first axis where the graph fixes it; absent = any batch.
  [[nodiscard]] std::optional<std::int64_t> fixed_batch() const;
  [[nodiscard]] const Findings& findings() const noexcept;

  /// Puts the trained numbers where post-training quantization puts its own: encodings of
  /// activations, edges and weights into `encodings`, weights rounded to those grids and float
  /// biases into `graph`. int32 biases are to follow (weights::quantize_biases). Zero points are
  /// integers, and the values are those that forward(kQuantized) uses.
  /// @param graph, encodings  those that the network was made from, or copies
  void write_back(graph::Graph& graph, quant::EncodingTable& encodings) const;

 private:
  struct Impl;
  explicit TrainableNetwork(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Operation types that can be trained, sorted; those of other domains as "domain.Type".
[[nodiscard]] std::vector<std::string> supported_operators();

}  // namespace hexquant::qat
