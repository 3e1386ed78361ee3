#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "qat/train.h"
#include "qat/trainable_network.h"

namespace hexquant::qat {

/// Mean over rows of -ln softmax(logits)[label]. @param logits [N, C] or [N, C, 1, 1]
[[nodiscard]] torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels);
/// Mean over rows (last axis) of KL(softmax(teacher) || softmax(student)), in nats.
[[nodiscard]] torch::Tensor kl_divergence(const torch::Tensor& student,
                                          const torch::Tensor& teacher);
/// sum (student - teacher)^2 / sum (teacher - mean teacher)^2: 1 = no better than a constant.
[[nodiscard]] torch::Tensor relative_error(const torch::Tensor& student,
                                           const torch::Tensor& teacher);

/// What of a network the loss reads, and how.
class LossFunction {
 public:
  /// @param student  the network to be trained, made from `graph`
  /// @throws Error(kInvalidArgument) when the graph has no floating-point output, or none with one
  ///         row of classes a sample for labels
  LossFunction(const graph::Graph& graph, const TrainOptions& options,
               const TrainableNetwork& student);

  /// Values that both networks are to give besides their outputs.
  [[nodiscard]] const std::vector<std::string>& taps() const noexcept { return taps_; }
  [[nodiscard]] bool needs_teacher() const noexcept {
    return options_.loss != Loss::kCrossEntropy || options_.block_loss > 0.0;
  }
  [[nodiscard]] bool needs_labels() const noexcept { return options_.loss != Loss::kDistillation; }

  /// @param teacher  absent when needs_teacher() is false
  /// @param labels   int64 [N]; undefined when needs_labels() is false
  [[nodiscard]] torch::Tensor operator()(const ForwardResult& student,
                                         const std::optional<ForwardResult>& teacher,
                                         const torch::Tensor& labels) const;

 private:
  [[nodiscard]] const torch::Tensor& logits(const ForwardResult& result) const;
  [[nodiscard]] torch::Tensor distillation(const ForwardResult& student,
                                           const ForwardResult& teacher) const;

  TrainOptions options_;
  std::vector<std::string> taps_;
  std::vector<std::size_t> float_outputs_;
  std::size_t scored_output_ = 0;
  std::optional<std::size_t> logits_tap_;  ///< input of the Softmax that makes the output
  std::size_t first_block_tap_ = 0;
};

}  // namespace hexquant::qat
