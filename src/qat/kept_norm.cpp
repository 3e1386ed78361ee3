#include "qat/kept_norm.h"

#include <algorithm>
#include <utility>

namespace hexquant::qat {
namespace {

/// Share of a batch in the running statistics.
constexpr double kMomentum = 0.1;

torch::Tensor values(const std::vector<float>& numbers) {
  return torch::tensor(numbers, torch::kFloat32);
}

/// A vector of channels as it meets a tensor of this rank.
torch::Tensor along(const torch::Tensor& channels, std::int64_t axis, std::int64_t rank) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(axis)] = channels.size(0);
  return channels.view(shape);
}

/// a / b, and `otherwise` where b is 0.
torch::Tensor divided(const torch::Tensor& a, const torch::Tensor& b,
                      const torch::Tensor& otherwise) {
  const torch::Tensor is_zero = b == 0;
  return torch::where(is_zero, otherwise, a / torch::where(is_zero, torch::ones_like(b), b));
}

Parameter parameter(std::string name, const torch::Tensor& tensor) {
  return {std::move(name), tensor, tensor.detach().abs().mean().item<double>()};
}

}  // namespace

KeptNorm::KeptNorm(BatchNorm norm, const torch::Tensor& weight, const torch::Tensor& bias,
                   NormMode mode)
    : norm_(std::move(norm)),
      mode_(mode),
      gamma_(values(norm_.gamma)),
      beta_(values(norm_.beta)),
      variance_(values(norm_.deviation).square() - norm_.epsilon) {
  const torch::NoGradGuard no_gradient;
  const torch::Tensor scale = along(factor(), norm_.axis, weight.dim());
  // A channel without gamma is constant: it has no W to be found, and needs none.
  weight_ = divided(weight, scale.expand_as(weight), weight);
  mean_ = divided(beta_ - bias, factor(), torch::zeros_like(bias));
  for (torch::Tensor* trained : {&weight_, &gamma_, &beta_}) trained->requires_grad_();
}

torch::Tensor KeptNorm::deviation() const {
  return (variance_ + norm_.epsilon).sqrt();
}

torch::Tensor KeptNorm::folded_weight() const {
  return weight_ * along(factor(), norm_.axis, weight_.dim());
}

torch::Tensor KeptNorm::folded_bias() const {
  return beta_ - mean_ * factor();
}

torch::Tensor KeptNorm::normalized(const torch::Tensor& z) {
  std::vector<std::int64_t> axes = {0};
  for (std::int64_t axis = 2; axis < z.dim(); ++axis) axes.push_back(axis);
  const auto [variance, mean] = torch::var_mean(z, axes, false);
  const torch::Tensor power = factor().square();
  // Without a factor z is 0, and so is its variance.
  const torch::Tensor own_variance = divided(variance, power, variance_);
  const torch::Tensor gain = deviation() / (own_variance + norm_.epsilon).sqrt();
  const torch::Tensor y =
      (z - along(mean, 1, z.dim())) * along(gain, 1, z.dim()) + along(beta_, 1, z.dim());
  const double count = static_cast<double>(z.numel() / z.size(1));
  const torch::NoGradGuard no_gradient;
  observe(divided(mean, factor(), mean_), own_variance * (count / std::max(1.0, count - 1.0)));
  return y;
}

void KeptNorm::observe(const torch::Tensor& mean, const torch::Tensor& variance) {
  if (estimated_batches_ < 0) {
    mean_.lerp_(mean, kMomentum);
    variance_.lerp_(variance, kMomentum);
    return;
  }
  mean_sum_ += mean;
  variance_sum_ += variance;
  ++estimated_batches_;
}

void KeptNorm::begin_estimate() {
  mean_sum_ = torch::zeros_like(mean_);
  variance_sum_ = torch::zeros_like(variance_);
  estimated_batches_ = 0;
}

void KeptNorm::end_estimate(bool means_only) {
  const torch::NoGradGuard no_gradient;
  if (estimated_batches_ > 0) {
    const auto batches = static_cast<double>(estimated_batches_);
    mean_.copy_(mean_sum_ / batches);
    if (!means_only) variance_.copy_(variance_sum_ / batches);
  }
  estimated_batches_ = -1;
}

std::vector<Parameter> KeptNorm::parameters() const {
  return {parameter(norm_.weight, weight_), parameter(norm_.weight + ":gamma", gamma_),
          parameter(norm_.bias, beta_)};
}

std::vector<Parameter> KeptNorm::statistics() const {
  return {parameter(norm_.weight + ":mean", mean_),
          parameter(norm_.weight + ":variance", variance_)};
}

}  // namespace hexquant::qat
