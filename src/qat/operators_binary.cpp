// Functions of two or more values, element by element.
#include "qat/operator.h"

namespace hexquant::qat {
namespace {

/// A function of LibTorch with broadcasting.
template <torch::Tensor (*Function)(const torch::Tensor&, const torch::Tensor&)>
Apply build_pair(const OperatorContext&) {
  return [](const Values& x) -> Values { return {Function(x[0], x[1])}; };
}

/// The same from the first value to the last.
template <torch::Tensor (*Function)(const torch::Tensor&, const torch::Tensor&)>
Apply build_chain(const OperatorContext&) {
  return [](const Values& x) -> Values {
    torch::Tensor result = x[0];
    for (std::size_t i = 1; i < x.size(); ++i) result = Function(result, x[i]);
    return {result};
  };
}

torch::Tensor add(const torch::Tensor& a, const torch::Tensor& b) {
  return a + b;
}

torch::Tensor subtract(const torch::Tensor& a, const torch::Tensor& b) {
  return a - b;
}

torch::Tensor multiply(const torch::Tensor& a, const torch::Tensor& b) {
  return a * b;
}

/// Integers are divided towards zero.
torch::Tensor divide(const torch::Tensor& a, const torch::Tensor& b) {
  return torch::isFloatingType(a.scalar_type()) ? a / b : torch::div(a, b, "trunc");
}

/// The result has the type of the base.
torch::Tensor power(const torch::Tensor& a, const torch::Tensor& b) {
  // A constant exponent as a number: x * x for 2, and no gradient of the exponent, which is NaN at
  // 0.
  if (b.numel() == 1 && !b.requires_grad()) {
    return torch::pow(a, b.item()).to(a.scalar_type());
  }
  return torch::pow(a, b).to(a.scalar_type());
}

Apply build_mean(const OperatorContext&) {
  return [](const Values& x) -> Values {
    torch::Tensor sum = x[0];
    for (std::size_t i = 1; i < x.size(); ++i) sum = sum + x[i];
    return {sum / static_cast<double>(x.size())};
  };
}

/// fmod = 1: sign of the dividend; 0: of the divisor.
Apply build_mod(const OperatorContext& context) {
  const bool c_like = context.node.int_attribute("fmod", 0) != 0;
  return [c_like](const Values& x) -> Values {
    return {c_like ? torch::fmod(x[0], x[1]) : torch::remainder(x[0], x[1])};
  };
}

Apply build_where(const OperatorContext&) {
  return [](const Values& x) -> Values { return {torch::where(x[0], x[1], x[2])}; };
}

constexpr Operator kOperators[] = {{"Add", build_pair<add>},
                                   {"And", build_pair<torch::logical_and>},
                                   {"Div", build_pair<divide>},
                                   {"Equal", build_pair<torch::eq>},
                                   {"Greater", build_pair<torch::gt>},
                                   {"GreaterOrEqual", build_pair<torch::ge>},
                                   {"Less", build_pair<torch::lt>},
                                   {"LessOrEqual", build_pair<torch::le>},
                                   {"Max", build_chain<torch::maximum>},
                                   {"Mean", build_mean},
                                   {"Min", build_chain<torch::minimum>},
                                   {"Mod", build_mod},
                                   {"Mul", build_pair<multiply>},
                                   {"Or", build_pair<torch::logical_or>},
                                   {"Pow", build_pair<power>},
                                   {"Sub", build_pair<subtract>},
                                   {"Sum", build_chain<add>},
                                   {"Where", build_where},
                                   {"Xor", build_pair<torch::logical_xor>}};

}  // namespace

std::span<const Operator> binary_operators() {
  return kOperators;
}

}  // namespace hexquant::qat
