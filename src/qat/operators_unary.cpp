// Functions of one value, element by element.
#include <optional>

#include "qat/operator.h"
#include "qat/torch_tensor.h"

namespace hexquant::qat {
namespace {

/// A function of LibTorch without parameters.
template <torch::Tensor (*Function)(const torch::Tensor&)>
Apply build_plain(const OperatorContext&) {
  return [](const Values& x) -> Values { return {Function(x[0])}; };
}

torch::Tensor hard_sigmoid(const torch::Tensor& x, double alpha, double beta) {
  return torch::clamp(x * alpha + beta, 0.0, 1.0);
}

Apply build_hard_sigmoid(const OperatorContext& context) {
  const float alpha = context.node.float_attribute("alpha", 0.2F);
  const float beta = context.node.float_attribute("beta", 0.5F);
  return [alpha, beta](const Values& x) -> Values { return {hard_sigmoid(x[0], alpha, beta)}; };
}

Apply build_hard_swish(const OperatorContext&) {
  return [](const Values& x) -> Values { return {torch::hardswish(x[0])}; };
}

Apply build_leaky_relu(const OperatorContext& context) {
  const float alpha = context.node.float_attribute("alpha", 0.01F);
  return [alpha](const Values& x) -> Values { return {torch::leaky_relu(x[0], alpha)}; };
}

Apply build_prelu(const OperatorContext&) {
  return [](const Values& x) -> Values { return {torch::where(x[0] < 0, x[0] * x[1], x[0])}; };
}

Apply build_elu(const OperatorContext& context) {
  const float alpha = context.node.float_attribute("alpha", 1.0F);
  return [alpha](const Values& x) -> Values { return {torch::elu(x[0], alpha)}; };
}

Apply build_celu(const OperatorContext& context) {
  const float alpha = context.node.float_attribute("alpha", 1.0F);
  return [alpha](const Values& x) -> Values { return {torch::celu(x[0], alpha)}; };
}

Apply build_selu(const OperatorContext& context) {
  const float alpha = context.node.float_attribute("alpha", 1.67326319217681884765625F);
  const float gamma = context.node.float_attribute("gamma", 1.05070102214813232421875F);
  return [alpha, gamma](const Values& x) -> Values { return {torch::elu(x[0], alpha, gamma)}; };
}

Apply build_thresholded_relu(const OperatorContext& context) {
  const float alpha = context.node.float_attribute("alpha", 1.0F);
  return [alpha](const Values& x) -> Values { return {torch::threshold(x[0], alpha, 0.0)}; };
}

Apply build_gelu(const OperatorContext& context) {
  const std::string form = context.node.string_attribute("approximate", "none");
  return [form](const Values& x) -> Values { return {torch::gelu(x[0], form)}; };
}

/// Bounds are attributes before operator set 11, inputs from then on.
Apply build_clip(const OperatorContext& context) {
  const auto bound = [&](const char* attribute, std::size_t index) -> std::optional<double> {
    if (const Tensor* constant = context.constant(index)) return to_doubles(*constant).at(0);
    if (context.has_input(index)) unsupported("its bounds are computed");
    if (context.node.find_attribute(attribute) == nullptr) return std::nullopt;
    return context.node.float_attribute(attribute, 0.0F);
  };
  const std::optional<double> low = bound("min", 1);
  const std::optional<double> high = bound("max", 2);
  return [low, high](const Values& x) -> Values {
    if (!low && !high) return {x[0]};
    // Integers stay integers.
    const bool is_float = torch::isFloatingType(x[0].scalar_type());
    const auto scalar = [&](const std::optional<double>& value) -> c10::optional<at::Scalar> {
      if (!value) return c10::nullopt;
      return is_float ? at::Scalar(*value) : at::Scalar(static_cast<std::int64_t>(*value));
    };
    return {torch::clamp(x[0], scalar(low), scalar(high))};
  };
}

Apply build_identity(const OperatorContext&) {
  return [](const Values& x) -> Values { return {x[0]}; };
}

/// Inference: nothing is dropped. The mask says so.
Apply build_dropout(const OperatorContext& context) {
  const bool has_mask = !context.node.output(1).empty();
  return [has_mask](const Values& x) -> Values {
    if (!has_mask) return {x[0]};
    return {x[0], torch::ones_like(x[0], torch::kBool)};
  };
}

Apply build_cast(const OperatorContext& context) {
  const auto type = torch_type(static_cast<DType>(context.node.int_attribute("to", 0)));
  return [type](const Values& x) -> Values { return {x[0].to(type)}; };
}

Apply build_cast_like(const OperatorContext&) {
  return [](const Values& x) -> Values { return {x[0].to(x[1].scalar_type())}; };
}

/// Codes that the application feeds (graph::integer_input): constants of one scale.
Apply build_dequantize(const OperatorContext& context) {
  const Tensor* scale = context.constant(1);
  if (scale == nullptr || scale->size() != 1 || scale->dtype() != DType::kFloat32) {
    unsupported("only codes with one constant float scale can be read");
  }
  const double step = scale->data<float>()[0];
  const Tensor* zero = context.constant(2);
  const double zero_point = zero == nullptr ? 0.0 : to_doubles(*zero).at(0);
  return [step, zero_point](const Values& x) -> Values {
    return {(x[0].to(torch::kFloat32) - zero_point) * step};
  };
}

torch::Tensor softsign(const torch::Tensor& x) {
  return x / (1 + x.abs());
}

torch::Tensor softplus(const torch::Tensor& x) {
  return torch::softplus(x);
}

torch::Tensor half_even(const torch::Tensor& x) {
  return torch::round(x);
}

torch::Tensor logical_not(const torch::Tensor& x) {
  return torch::logical_not(x);
}

constexpr Operator kOperators[] = {{"Abs", build_plain<torch::abs>},
                                   {"Cast", build_cast},
                                   {"CastLike", build_cast_like},
                                   {"Ceil", build_plain<torch::ceil>},
                                   {"Celu", build_celu},
                                   {"Clip", build_clip},
                                   {"Cos", build_plain<torch::cos>},
                                   {"DequantizeLinear", build_dequantize},
                                   {"Dropout", build_dropout},
                                   {"Elu", build_elu},
                                   {"Erf", build_plain<torch::erf>},
                                   {"Exp", build_plain<torch::exp>},
                                   {"Floor", build_plain<torch::floor>},
                                   {"Gelu", build_gelu},
                                   {"HardSigmoid", build_hard_sigmoid},
                                   {"HardSwish", build_hard_swish},
                                   {"Identity", build_identity},
                                   {"LeakyRelu", build_leaky_relu},
                                   {"Log", build_plain<torch::log>},
                                   {"Mish", build_plain<torch::mish>},
                                   {"Neg", build_plain<torch::neg>},
                                   {"Not", build_plain<logical_not>},
                                   {"PRelu", build_prelu},
                                   {"Reciprocal", build_plain<torch::reciprocal>},
                                   {"Relu", build_plain<torch::relu>},
                                   {"Round", build_plain<half_even>},
                                   {"Selu", build_selu},
                                   {"Sigmoid", build_plain<torch::sigmoid>},
                                   {"Sign", build_plain<torch::sign>},
                                   {"Sin", build_plain<torch::sin>},
                                   {"Softplus", build_plain<softplus>},
                                   {"Softsign", build_plain<softsign>},
                                   {"Sqrt", build_plain<torch::sqrt>},
                                   {"Tanh", build_plain<torch::tanh>},
                                   {"ThresholdedRelu", build_thresholded_relu},
                                   {"com.microsoft.Gelu", build_gelu}};

}  // namespace

std::span<const Operator> unary_operators() {
  return kOperators;
}

}  // namespace hexquant::qat
