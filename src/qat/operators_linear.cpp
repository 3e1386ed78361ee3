// Conv, ConvTranspose, Gemm, MatMul, Einsum.
#include <algorithm>

#include "core/format.h"
#include "qat/operator.h"

namespace hexquant::qat {
namespace {

using Ints = std::vector<std::int64_t>;

const torch::Tensor& at_or_none(const Values& x, std::size_t index) {
  static const torch::Tensor none;
  return index < x.size() ? x[index] : none;
}

/// Sizes of the weight's spatial axes.
Ints kernel_of(const OperatorContext& context) {
  const Tensor* weight = context.constant(1);
  if (weight != nullptr && weight->rank() >= 3) {
    return Ints(weight->shape().begin() + 2, weight->shape().end());
  }
  Ints kernel = context.node.ints_attribute("kernel_shape", {});
  if (kernel.empty()) unsupported("its weight is computed and kernel_shape is absent");
  return kernel;
}

/// Equal pads on both sides are LibTorch's own; others are made first.
bool is_symmetric(const Ints& pads) {
  const auto half = static_cast<std::ptrdiff_t>(pads.size() / 2);
  return std::equal(pads.begin(), pads.begin() + half, pads.begin() + half);
}

Apply build_conv(const OperatorContext& context) {
  const Window window = Window::read(context.node, kernel_of(context));
  const std::int64_t groups = context.node.int_attribute("group", 1);
  return [window, groups](const Values& x) -> Values {
    const std::size_t axes = window.kernel.size();
    Ints pads = window.pads_for(x[0].sizes());
    torch::Tensor data = x[0];
    if (!is_symmetric(pads)) {
      data = pad_axes(data, pads, 0.0);
      pads.assign(2 * axes, 0);
    }
    pads.resize(axes);
    return {at::convolution(data, x[1], at_or_none(x, 2), window.strides, pads, window.dilations,
                            false, Ints(axes, 0), groups)};
  };
}

Apply build_conv_transpose(const OperatorContext& context) {
  const Window window = Window::read(context.node, kernel_of(context));
  if (window.auto_pad != "NOTSET" && window.auto_pad != "VALID") {
    unsupported(format("auto_pad {} of a ConvTranspose", window.auto_pad));
  }
  if (context.node.find_attribute("output_shape") != nullptr) {
    unsupported("output_shape of a ConvTranspose (export it with pads)");
  }
  const std::size_t axes = window.kernel.size();
  const Ints extra = context.node.ints_attribute("output_padding", Ints(axes, 0));
  const std::int64_t groups = context.node.int_attribute("group", 1);
  return [window, groups, extra, axes](const Values& x) -> Values {
    const Ints pads = window.pads_for(x[0].sizes());
    const bool symmetric = is_symmetric(pads);
    const Ints own = symmetric
                         ? Ints(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(axes))
                         : Ints(axes, 0);
    torch::Tensor y = at::convolution(x[0], x[1], at_or_none(x, 2), window.strides, own,
                                      window.dilations, true, extra, groups);
    if (symmetric) return {y};
    // Pads of a transposed convolution are cut off its result.
    for (std::size_t d = 0; d < axes; ++d) {
      const auto axis = static_cast<std::int64_t>(d + 2);
      y = y.narrow(axis, pads[d], y.size(axis) - pads[d] - pads[d + axes]);
    }
    return {y};
  };
}

Apply build_gemm(const OperatorContext& context) {
  const float alpha = context.node.float_attribute("alpha", 1.0F);
  const float beta = context.node.float_attribute("beta", 1.0F);
  const bool turn_a = context.node.int_attribute("transA", 0) != 0;
  const bool turn_b = context.node.int_attribute("transB", 0) != 0;
  return [alpha, beta, turn_a, turn_b](const Values& x) -> Values {
    const torch::Tensor a = turn_a ? x[0].t() : x[0];
    const torch::Tensor b = turn_b ? x[1].t() : x[1];
    const torch::Tensor& c = at_or_none(x, 2);
    if (c.defined()) return {torch::addmm(c, a, b, beta, alpha)};
    const torch::Tensor product = torch::mm(a, b);
    return {alpha == 1.0F ? product : product * alpha};
  };
}

Apply build_matmul(const OperatorContext&) {
  return [](const Values& x) -> Values { return {torch::matmul(x[0], x[1])}; };
}

Apply build_einsum(const OperatorContext& context) {
  const std::string equation = context.node.string_attribute("equation", "");
  return [equation](const Values& x) -> Values { return {torch::einsum(equation, x)}; };
}

constexpr Operator kOperators[] = {{"Conv", build_conv},
                                   {"ConvTranspose", build_conv_transpose},
                                   {"Einsum", build_einsum},
                                   {"Gemm", build_gemm},
                                   {"MatMul", build_matmul}};

}  // namespace

std::span<const Operator> linear_operators() {
  return kOperators;
}

}  // namespace hexquant::qat
