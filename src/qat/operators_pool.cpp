// Pools over windows and over whole planes.
#include <algorithm>
#include <limits>

#include "core/format.h"
#include "qat/operator.h"

namespace hexquant::qat {
namespace {

using Ints = std::vector<std::int64_t>;

/// Pads for LibTorch to leave nothing to its own rules: behind the input so much more (or less)
/// that exactly the wanted number of windows fits.
Ints exact_pads(const Window& window, torch::IntArrayRef shape) {
  const std::size_t axes = window.kernel.size();
  Ints pads = window.pads_for(shape);
  for (std::size_t d = 0; d < axes; ++d) {
    const std::int64_t size = shape[shape.size() - axes + d];
    const std::int64_t outputs = window.output_size(d, size, pads);
    pads[d + axes] = (outputs - 1) * window.strides[d] + window.extent(d) - size - pads[d];
  }
  return pads;
}

Window pool_window(const OperatorContext& context) {
  const Ints kernel = context.node.ints_attribute("kernel_shape", {});
  if (kernel.empty() || kernel.size() > 3) {
    unsupported(format("a pool over {} axes", kernel.size()));
  }
  return Window::read(context.node, kernel);
}

torch::Tensor max_pool(const torch::Tensor& x, const Window& window) {
  const Ints none(window.kernel.size(), 0);
  switch (window.kernel.size()) {
    case 1:
      return torch::max_pool1d(x, window.kernel, window.strides, none, window.dilations);
    case 2:
      return torch::max_pool2d(x, window.kernel, window.strides, none, window.dilations);
    default:
      return torch::max_pool3d(x, window.kernel, window.strides, none, window.dilations);
  }
}

Apply build_max_pool(const OperatorContext& context) {
  if (!context.node.output(1).empty()) unsupported("its indices are used");
  const Window window = pool_window(context);
  return [window](const Values& x) -> Values {
    const double lowest = -std::numeric_limits<double>::infinity();
    return {max_pool(pad_axes(x[0], exact_pads(window, x[0].sizes()), lowest), window)};
  };
}

/// Sum over each window divided by `elements`. LibTorch's own pools know no dilation.
torch::Tensor average_pool(const torch::Tensor& x, const Window& window) {
  const Ints none(window.kernel.size(), 0);
  switch (window.kernel.size()) {
    case 1:
      return torch::avg_pool1d(x, window.kernel, window.strides, none);
    case 2:
      return torch::avg_pool2d(x, window.kernel, window.strides, none);
    default:
      return torch::avg_pool3d(x, window.kernel, window.strides, none);
  }
}

/// Share of each window that counts: of the input, with `count_pads` of its pads too.
torch::Tensor window_shares(const torch::Tensor& x, const Window& window, const Ints& pads,
                            bool count_pads) {
  const torch::NoGradGuard no_gradient;
  const std::size_t axes = window.kernel.size();
  Ints shape(2, 1);
  for (std::size_t d = 0; d < axes; ++d) {
    shape.push_back(x.size(x.dim() - static_cast<std::int64_t>(axes - d)));
  }
  torch::Tensor ones = torch::ones(shape, x.options());
  Ints rest = pads;
  if (count_pads) {
    const Ints given = window.pads_for(x.sizes());
    // Pads count; what ceil_mode adds behind them does not.
    Ints own = given;
    for (std::size_t d = 0; d < axes; ++d) own[d + axes] = std::min(own[d + axes], pads[d + axes]);
    ones = pad_axes(ones, own, 1.0);
    for (std::size_t d = 0; d < 2 * axes; ++d) rest[d] -= own[d];
  }
  return average_pool(pad_axes(ones, rest, 0.0), window);
}

Apply build_average_pool(const OperatorContext& context) {
  const Window window = pool_window(context);
  for (const std::int64_t dilation : window.dilations) {
    if (dilation != 1) unsupported("an average pool with dilation");
  }
  const bool count_pads = context.node.int_attribute("count_include_pad", 0) != 0;
  return [window, count_pads](const Values& x) -> Values {
    const Ints pads = exact_pads(window, x[0].sizes());
    const bool padded =
        std::any_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad > 0; });
    const torch::Tensor sums = average_pool(pad_axes(x[0], pads, 0.0), window);
    return {padded ? sums / window_shares(x[0], window, pads, count_pads) : sums};
  };
}

Ints plane_axes(const torch::Tensor& x) {
  Ints axes;
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) axes.push_back(axis);
  return axes;
}

Apply build_global_average_pool(const OperatorContext&) {
  return [](const Values& x) -> Values { return {x[0].mean(plane_axes(x[0]), true)}; };
}

Apply build_global_max_pool(const OperatorContext&) {
  return [](const Values& x) -> Values { return {x[0].amax(plane_axes(x[0]), true)}; };
}

constexpr Operator kOperators[] = {{"AveragePool", build_average_pool},
                                   {"GlobalAveragePool", build_global_average_pool},
                                   {"GlobalMaxPool", build_global_max_pool},
                                   {"MaxPool", build_max_pool}};

}  // namespace

std::span<const Operator> pool_operators() {
  return kOperators;
}

}  // namespace hexquant::qat
