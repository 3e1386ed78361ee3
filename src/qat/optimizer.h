#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "qat/train.h"
#include "qat/trainable_network.h"

namespace hexquant::qat {

/// Rate of step `step` (from 0) of `total`. See Schedule.
[[nodiscard]] double scheduled_rate(const TrainOptions& options, std::int64_t step,
                                    std::int64_t total);

/// Changes parameters by their gradients. Its whole state is in state(), so that it can be put
/// aside and taken up again.
///
/// SGD: v <- momentum v + (c g + weight_decay p), p <- p - rate v, where
///   c = min(1, trust |p| / (learning_rate |g|)) for ranges and for weights of two dimensions and
///   more, 1 for biases, which may start at 0. A gradient alone so moves a tensor by at most
///   `trust` of its norm. (LARS, You, Gitman and Ginsburg 2017, as a limit.) One rate cannot serve
///   a layer that reads pixels of 0 to 255, whose curvature is 10^4 times that of one that reads
///   normalized values: without the limit it diverges in the first steps.
/// Adam: m <- 0.9 m + 0.1 g, v <- 0.999 v + 0.001 g^2, both corrected for their start at 0,
///   d = size m / (sqrt(v) + 1e-8), p <- p - rate (c d + weight_decay p); `size` is 1 for weights
///   and the magnitude for ranges, whose steps would have no relation to their unit; c as above,
///   with d for g (LAMB, You et al. 2019, as a limit): all weights move alike, which is far too
///   much for the small ones of a layer that reads pixels.
/// Ranges have no weight decay, and rate x range_rate.
class Optimizer {
 public:
  Optimizer(std::vector<Parameter> weights, std::vector<Parameter> ranges,
            const TrainOptions& options);

  void clear_gradients();
  /// @return Euclidean norm of all gradients before they were limited
  double step(double rate);

  /// By name of what it is and the parameter; parameters without a step yet have none.
  [[nodiscard]] std::map<std::string, torch::Tensor> state() const;
  /// @throws Error(kInvalidData) naming what does not fit the parameters
  void restore(const std::map<std::string, torch::Tensor>& state, std::int64_t steps);

 private:
  struct Slot {
    Parameter parameter;
    bool is_range = false;
    torch::Tensor momentum;  ///< SGD: v; Adam: m
    torch::Tensor square;    ///< Adam: v
    [[nodiscard]] std::string name() const;
  };

  [[nodiscard]] double gradient_norm() const;
  /// c of a step in this direction.
  [[nodiscard]] double trusted_share(const Slot& slot, const torch::Tensor& direction) const;
  void step_sgd(Slot& slot, const torch::Tensor& gradient, double rate) const;
  void step_adam(Slot& slot, const torch::Tensor& gradient, double rate) const;

  std::vector<Slot> slots_;
  TrainOptions options_;
  std::int64_t steps_ = 0;
};

/// What of a network training changes, see TrainableNetwork.
struct Trained {
  std::vector<Parameter> weights;
  std::vector<Parameter> ranges;
  std::vector<Parameter> statistics = {};
};

/// Current values, by kind and name.
[[nodiscard]] std::map<std::string, torch::Tensor> values_of(const Trained& trained);
/// Puts values_of() back. @throws Error(kInvalidData) naming what is missing or of another shape
void restore_values(const std::map<std::string, torch::Tensor>& values, const Trained& trained);

}  // namespace hexquant::qat
