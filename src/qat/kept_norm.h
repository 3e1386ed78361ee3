#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "qat/batch_norm.h"
#include "qat/trainable_network.h"

namespace hexquant::qat {

/// A layer whose BatchNormalization is trained beside it, while its weight is rounded folded, as
/// the exported model has it (Jacob et al., arXiv:1712.05877, section 3.2; Krishnamoorthi,
/// arXiv:1806.08342, section 3.2.2). With z the layer's output by the folded and rounded weight,
/// without bias, and factor = gamma / deviation:
///
///   weight = W factor,  bias = beta - mean factor                   frozen, validation, export
///   y = (z - E[z]) deviation / sqrt(Var[z] / factor^2 + epsilon) + beta       training (kKept)
///
/// E and Var are over the batch. z / factor is the layer's output before normalization, so this is
/// the batch norm of it with one convolution alone, rounding error included; deviation in the
/// weight is a constant, so weights keep their grid from batch to batch.
class KeptNorm {
 public:
  /// W and mean follow from the folded weight and bias, which need not be those of the file.
  /// @param weight, bias  folded, float
  KeptNorm(BatchNorm norm, const torch::Tensor& weight, const torch::Tensor& bias, NormMode mode);

  /// True if training normalizes by the batch: the layer then runs without its bias.
  [[nodiscard]] bool uses_batches() const noexcept { return mode_ == NormMode::kKept; }
  [[nodiscard]] torch::Tensor folded_weight() const;
  [[nodiscard]] torch::Tensor folded_bias() const;
  /// y of z [N, C, ...]; takes the batch into the statistics: the mean and the unbiased variance of
  /// z / factor, by an exponential average (new = 0.9 old + 0.1 batch), or for begin_estimate().
  [[nodiscard]] torch::Tensor normalized(const torch::Tensor& z);

  /// From here on batches are averaged, all alike, and the statistics stay.
  void begin_estimate();
  /// The average takes their place. @param means_only  the variance stays
  void end_estimate(bool means_only);

  [[nodiscard]] const BatchNorm& norm() const noexcept { return norm_; }
  /// W under the weight's name, gamma ("WEIGHT:gamma") and beta under the bias's name.
  [[nodiscard]] std::vector<Parameter> parameters() const;
  /// Mean and variance: no parameters, but part of the state.
  [[nodiscard]] std::vector<Parameter> statistics() const;

 private:
  [[nodiscard]] torch::Tensor deviation() const;
  [[nodiscard]] torch::Tensor factor() const { return gamma_ / deviation(); }
  void observe(const torch::Tensor& mean, const torch::Tensor& variance);

  BatchNorm norm_;
  NormMode mode_;
  torch::Tensor weight_;  ///< W
  torch::Tensor gamma_;
  torch::Tensor beta_;
  torch::Tensor mean_;
  torch::Tensor variance_;
  torch::Tensor mean_sum_;  ///< while estimating
  torch::Tensor variance_sum_;
  std::int64_t estimated_batches_ = -1;  ///< -1 = not estimating
};

}  // namespace hexquant::qat
