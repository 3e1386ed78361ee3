#include "qat/optimizer.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::qat {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

std::string parameter_name(const Parameter& parameter, bool is_range) {
  return (is_range ? "range/" : "weight/") + parameter.name;
}

/// `target` becomes the stored tensor of this name.
void take(const std::map<std::string, torch::Tensor>& stored, const std::string& name,
          const torch::Tensor& target) {
  const auto found = stored.find(name);
  if (found == stored.end() || found->second.sizes() != target.sizes()) {
    throw Error(ErrorCode::kInvalidData,
                format("checkpoint: '{}' is {}", name,
                       found == stored.end() ? "missing" : "of another shape"));
  }
  target.copy_(found->second);
}

/// Every tensor, with the name that a state has for it.
template <typename Visit>
void visit_values(const Trained& trained, const Visit& visit) {
  for (const bool is_range : {false, true}) {
    for (const Parameter& each : is_range ? trained.ranges : trained.weights) {
      visit(parameter_name(each, is_range), each.tensor);
    }
  }
  for (const Parameter& each : trained.statistics) visit("statistic/" + each.name, each.tensor);
}

}  // namespace

double scheduled_rate(const TrainOptions& options, std::int64_t step, std::int64_t total) {
  const double done = static_cast<double>(step) / static_cast<double>(total);
  switch (options.schedule) {
    case Schedule::kConstant:
      return options.learning_rate;
    case Schedule::kCosine:
      return options.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
    case Schedule::kStep:
      return options.learning_rate * (done < 0.5 ? 1.0 : done < 0.75 ? 0.1 : 0.01);
  }
  return options.learning_rate;
}

std::string Optimizer::Slot::name() const {
  return parameter_name(parameter, is_range);
}

Optimizer::Optimizer(std::vector<Parameter> weights, std::vector<Parameter> ranges,
                     const TrainOptions& options)
    : options_(options) {
  for (Parameter& parameter : weights) slots_.push_back({std::move(parameter), false, {}, {}});
  for (Parameter& parameter : ranges) slots_.push_back({std::move(parameter), true, {}, {}});
}

void Optimizer::clear_gradients() {
  for (Slot& slot : slots_) slot.parameter.tensor.mutable_grad() = torch::Tensor();
}

double Optimizer::gradient_norm() const {
  double sum = 0.0;
  for (const Slot& slot : slots_) {
    const torch::Tensor& gradient = slot.parameter.tensor.grad();
    if (!gradient.defined()) continue;
    const double norm = gradient.norm().item<double>();
    sum += norm * norm;
  }
  return std::sqrt(sum);
}

double Optimizer::step(double rate) {
  const torch::NoGradGuard no_gradient;
  const double norm = options_.clip_gradient > 0.0 ? gradient_norm() : 0.0;
  const bool is_limited = options_.clip_gradient > 0.0 && norm > options_.clip_gradient;
  ++steps_;
  for (Slot& slot : slots_) {
    torch::Tensor gradient = slot.parameter.tensor.grad();
    if (!gradient.defined()) continue;  // what no output depends on
    if (is_limited) gradient = gradient * (options_.clip_gradient / norm);
    const double own_rate = slot.is_range ? rate * options_.range_rate : rate;
    if (options_.optimizer == OptimizerKind::kSgd) {
      step_sgd(slot, gradient, own_rate);
    } else {
      step_adam(slot, gradient, own_rate);
    }
  }
  return norm;
}

double Optimizer::trusted_share(const Slot& slot, const torch::Tensor& direction) const {
  const torch::Tensor& value = slot.parameter.tensor;
  const bool is_limited = options_.trust > 0.0 && (slot.is_range || value.dim() > 1);
  if (!is_limited) return 1.0;
  const double own_rate = options_.learning_rate * (slot.is_range ? options_.range_rate : 1.0);
  const double wanted = own_rate * direction.norm().item<double>();
  const double trusted = options_.trust * value.norm().item<double>();
  return wanted > trusted ? trusted / wanted : 1.0;
}

void Optimizer::step_sgd(Slot& slot, const torch::Tensor& gradient, double rate) const {
  torch::Tensor& value = slot.parameter.tensor;
  if (!slot.momentum.defined()) slot.momentum = torch::zeros_like(value);
  slot.momentum.mul_(options_.momentum).add_(gradient, trusted_share(slot, gradient));
  if (!slot.is_range && options_.weight_decay != 0.0) {
    slot.momentum.add_(value, options_.weight_decay);
  }
  value.add_(slot.momentum, -rate);
}

void Optimizer::step_adam(Slot& slot, const torch::Tensor& gradient, double rate) const {
  torch::Tensor& value = slot.parameter.tensor;
  if (!slot.momentum.defined()) {
    slot.momentum = torch::zeros_like(value);
    slot.square = torch::zeros_like(value);
  }
  slot.momentum.mul_(kBeta1).add_(gradient, 1.0 - kBeta1);
  slot.square.mul_(kBeta2).addcmul_(gradient, gradient, 1.0 - kBeta2);
  const auto steps = static_cast<double>(steps_);
  const double first = 1.0 - std::pow(kBeta1, steps);
  const double second = 1.0 - std::pow(kBeta2, steps);
  const double size = slot.is_range ? slot.parameter.magnitude : 1.0;
  const torch::Tensor direction =
      slot.momentum.div(slot.square.div(second).sqrt_().add_(kEpsilon)).mul_(size / first);
  if (!slot.is_range) value.mul_(1.0 - rate * options_.weight_decay);
  value.add_(direction, -rate * trusted_share(slot, direction));
}

std::map<std::string, torch::Tensor> Optimizer::state() const {
  std::map<std::string, torch::Tensor> state;
  for (const Slot& slot : slots_) {
    if (slot.momentum.defined()) state["momentum/" + slot.name()] = slot.momentum;
    if (slot.square.defined()) state["square/" + slot.name()] = slot.square;
  }
  return state;
}

void Optimizer::restore(const std::map<std::string, torch::Tensor>& state, std::int64_t steps) {
  steps_ = steps;
  const auto restored = [&](const std::string& name, const torch::Tensor& like) {
    if (!state.contains(name)) return torch::Tensor();
    torch::Tensor tensor = torch::empty_like(like);
    take(state, name, tensor);
    return tensor;
  };
  const torch::NoGradGuard no_gradient;
  for (Slot& slot : slots_) {
    const torch::Tensor like = slot.parameter.tensor.detach();
    slot.momentum = restored("momentum/" + slot.name(), like);
    slot.square = restored("square/" + slot.name(), like);
  }
}

std::map<std::string, torch::Tensor> values_of(const Trained& trained) {
  std::map<std::string, torch::Tensor> values;
  visit_values(trained, [&](const std::string& name, const torch::Tensor& tensor) {
    values[name] = tensor.detach().clone();
  });
  return values;
}

void restore_values(const std::map<std::string, torch::Tensor>& values, const Trained& trained) {
  const torch::NoGradGuard no_gradient;
  visit_values(trained, [&](const std::string& name, const torch::Tensor& tensor) {
    take(values, name, tensor);
  });
}

}  // namespace hexquant::qat
