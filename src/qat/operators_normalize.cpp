// Normalizations and Softmax.
#include "core/format.h"
#include "qat/operator.h"

namespace hexquant::qat {
namespace {

using Ints = std::vector<std::int64_t>;

const torch::Tensor& at_or_none(const Values& x, std::size_t index) {
  static const torch::Tensor none;
  return index < x.size() ? x[index] : none;
}

c10::optional<torch::Tensor> optional_tensor(const torch::Tensor& tensor) {
  if (!tensor.defined()) return c10::nullopt;
  return tensor;
}

void refuse_further_outputs(const OperatorContext& context) {
  for (std::size_t i = 1; i < context.node.outputs().size(); ++i) {
    if (!context.node.output(i).empty()) unsupported(format("its output {} is used", i));
  }
}

/// Statistics are those of the file: constants.
Apply build_batch_norm(const OperatorContext& context) {
  if (context.node.int_attribute("training_mode", 0) != 0) unsupported("training_mode is 1");
  refuse_further_outputs(context);
  const float epsilon = context.node.float_attribute("epsilon", 1e-5F);
  return [epsilon](const Values& x) -> Values {
    return {torch::batch_norm(x[0], x[1], x[2], x[3], x[4], false, 0.0, epsilon, false)};
  };
}

Apply build_layer_norm(const OperatorContext& context) {
  refuse_further_outputs(context);
  const std::int64_t axis = context.node.int_attribute("axis", -1);
  const float epsilon = context.node.float_attribute("epsilon", 1e-5F);
  return [axis, epsilon](const Values& x) -> Values {
    const auto first = front_axis(axis, x[0].dim());
    const Ints shape(x[0].sizes().begin() + first, x[0].sizes().end());
    if (x[1].sizes() == torch::IntArrayRef(shape)) {
      return {torch::layer_norm(x[0], shape, x[1], optional_tensor(at_or_none(x, 2)), epsilon)};
    }
    torch::Tensor y = torch::layer_norm(x[0], shape, {}, {}, epsilon) * x[1];
    return {at_or_none(x, 2).defined() ? y + x[2] : y};
  };
}

/// x / sqrt(mean(x^2) + epsilon) * scale over the axes from `axis` on.
Apply build_rms_norm(const OperatorContext& context) {
  refuse_further_outputs(context);
  const std::int64_t axis = context.node.int_attribute("axis", -1);
  const float epsilon = context.node.float_attribute("epsilon", 1e-5F);
  return [axis, epsilon](const Values& x) -> Values {
    Ints axes;
    for (std::int64_t d = front_axis(axis, x[0].dim()); d < x[0].dim(); ++d) axes.push_back(d);
    const torch::Tensor power = x[0].square().mean(axes, true);
    return {x[0] * torch::rsqrt(power + epsilon) * x[1]};
  };
}

Apply build_instance_norm(const OperatorContext& context) {
  const float epsilon = context.node.float_attribute("epsilon", 1e-5F);
  return [epsilon](const Values& x) -> Values {
    return {torch::instance_norm(x[0], x[1], x[2], {}, {}, true, 0.0, epsilon, false)};
  };
}

/// Scale and bias have one entry a channel (operator set 21) or a group (18).
Apply build_group_norm(const OperatorContext& context) {
  const std::int64_t groups = context.node.int_attribute("num_groups", 1);
  const float epsilon = context.node.float_attribute("epsilon", 1e-5F);
  return [groups, epsilon](const Values& x) -> Values {
    const auto by_channel = [&](const torch::Tensor& values) {
      const std::int64_t repeats = x[0].size(1) / values.size(0);
      return repeats == 1 ? values : values.repeat_interleave(repeats);
    };
    return {torch::group_norm(x[0], groups, by_channel(x[1]), by_channel(x[2]), epsilon, false)};
  };
}

Apply build_lp_norm(const OperatorContext& context) {
  const std::int64_t axis = context.node.int_attribute("axis", -1);
  const std::int64_t p = context.node.int_attribute("p", 2);
  return [axis, p](const Values& x) -> Values {
    const torch::Tensor norm =
        p == 1 ? x[0].abs().sum(axis, true) : x[0].square().sum(axis, true).sqrt();
    return {x[0] / norm};
  };
}

/// Before operator set 13, the function is over all axes from `axis` on, taken as one.
template <torch::Tensor (*Function)(const torch::Tensor&, std::int64_t)>
Apply build_softmax(const OperatorContext& context) {
  const bool flattens = context.graph.opset() < 13;
  const std::int64_t axis = context.node.int_attribute("axis", flattens ? 1 : -1);
  return [axis, flattens](const Values& x) -> Values {
    if (!flattens) return {Function(x[0], axis)};
    const torch::Tensor rows = x[0].flatten(front_axis(axis, x[0].dim()));
    return {Function(rows, -1).view_as(x[0])};
  };
}

torch::Tensor softmax(const torch::Tensor& x, std::int64_t axis) {
  return torch::softmax(x, axis);
}

torch::Tensor log_softmax(const torch::Tensor& x, std::int64_t axis) {
  return torch::log_softmax(x, axis);
}

constexpr Operator kOperators[] = {{"BatchNormalization", build_batch_norm},
                                   {"GroupNormalization", build_group_norm},
                                   {"InstanceNormalization", build_instance_norm},
                                   {"LayerNormalization", build_layer_norm},
                                   {"LogSoftmax", build_softmax<log_softmax>},
                                   {"LpNormalization", build_lp_norm},
                                   {"RMSNormalization", build_rms_norm},
                                   {"SimplifiedLayerNormalization", build_rms_norm},
                                   {"Softmax", build_softmax<softmax>}};

}  // namespace

std::span<const Operator> normalize_operators() {
  return kOperators;
}

}  // namespace hexquant::qat
