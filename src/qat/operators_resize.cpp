// Resize: each axis on its own, as a weighted sum of picked positions.
#include <algorithm>
#include <cmath>

#include "core/format.h"
#include "qat/operator.h"

namespace hexquant::qat {
namespace {

using Ints = std::vector<std::int64_t>;
using Doubles = std::vector<double>;

struct ResizeForm {
  std::string mode;         ///< nearest, linear, cubic
  std::string coordinates;  ///< coordinate_transformation_mode
  std::string nearest;      ///< nearest_mode
  double cubic_a = -0.75;
  bool excludes_outside = false;
};

/// Where output position i lies in the input, in ONNX's words.
double source_position(const ResizeForm& form, std::int64_t i, double scale, std::int64_t in,
                       std::int64_t out) {
  const auto x = static_cast<double>(i);
  if (form.coordinates == "asymmetric") return x / scale;
  if (form.coordinates == "align_corners") {
    return out == 1 ? 0.0 : x * static_cast<double>(in - 1) / static_cast<double>(out - 1);
  }
  if (form.coordinates == "pytorch_half_pixel" && out == 1) return 0.0;
  if (form.coordinates == "half_pixel_symmetric") {
    const double adjustment = static_cast<double>(out) / (scale * static_cast<double>(in));
    const double centre = static_cast<double>(in) / 2.0;
    return centre * (1.0 - adjustment) + (x + 0.5) / scale - 0.5;
  }
  return (x + 0.5) / scale - 0.5;
}

double nearest_position(const ResizeForm& form, double x) {
  if (form.nearest == "floor") return std::floor(x);
  if (form.nearest == "ceil") return std::ceil(x);
  if (form.nearest == "round_prefer_ceil") return std::floor(x + 0.5);
  return std::ceil(x - 0.5);
}

/// Keys' cubic convolution kernel at distance d.
double cubic_weight(double a, double d) {
  d = std::abs(d);
  if (d <= 1.0) return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
  if (d < 2.0) return ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
  return 0.0;
}

/// Weights of the taps around position x; tap 0 is at floor(x) - reach + 1.
Doubles tap_weights(const ResizeForm& form, double x, std::int64_t first, std::int64_t taps,
                    std::int64_t in) {
  Doubles weights;
  double sum = 0.0;
  for (std::int64_t t = 0; t < taps; ++t) {
    const double distance = x - static_cast<double>(first + t);
    double weight =
        taps == 2 ? std::max(0.0, 1.0 - std::abs(distance)) : cubic_weight(form.cubic_a, distance);
    if (form.excludes_outside && (first + t < 0 || first + t >= in)) weight = 0.0;
    weights.push_back(weight);
    sum += weight;
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

torch::Tensor resize_axis(const torch::Tensor& x, std::int64_t axis, const ResizeForm& form,
                          double scale, std::int64_t out) {
  const std::int64_t in = x.size(axis);
  const std::int64_t taps = form.mode == "nearest" ? 1 : form.mode == "linear" ? 2 : 4;
  std::vector<Ints> indices(static_cast<std::size_t>(taps));
  std::vector<std::vector<float>> weights(static_cast<std::size_t>(taps));
  for (std::int64_t i = 0; i < out; ++i) {
    const double position = source_position(form, i, scale, in, out);
    const auto first = taps == 1 ? static_cast<std::int64_t>(nearest_position(form, position))
                                 : static_cast<std::int64_t>(std::floor(position)) - taps / 2 + 1;
    const Doubles taken = taps == 1 ? Doubles{1.0} : tap_weights(form, position, first, taps, in);
    for (std::int64_t t = 0; t < taps; ++t) {
      const auto tap = static_cast<std::size_t>(t);
      indices[tap].push_back(std::clamp<std::int64_t>(first + t, 0, in - 1));
      weights[tap].push_back(static_cast<float>(taken[tap]));
    }
  }
  if (taps == 1) return x.index_select(axis, torch::tensor(indices[0]));
  Ints along(static_cast<std::size_t>(x.dim()), 1);
  along[static_cast<std::size_t>(axis)] = out;
  torch::Tensor sum;
  for (std::size_t tap = 0; tap < indices.size(); ++tap) {
    const torch::Tensor part = x.index_select(axis, torch::tensor(indices[tap])) *
                               torch::tensor(weights[tap]).reshape(along);
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

ResizeForm resize_form(const graph::Node& node) {
  ResizeForm form;
  form.mode = node.string_attribute("mode", "nearest");
  form.coordinates = node.string_attribute("coordinate_transformation_mode", "half_pixel");
  form.nearest = node.string_attribute("nearest_mode", "round_prefer_floor");
  form.cubic_a = node.float_attribute("cubic_coeff_a", -0.75F);
  form.excludes_outside = node.int_attribute("exclude_outside", 0) != 0;
  if (form.coordinates == "tf_crop_and_resize") unsupported("tf_crop_and_resize");
  if (node.int_attribute("antialias", 0) != 0) unsupported("antialias is 1");
  if (node.string_attribute("keep_aspect_ratio_policy", "stretch") != "stretch") {
    unsupported("keep_aspect_ratio_policy is not 'stretch'");
  }
  return form;
}

Doubles to_scales(const torch::Tensor& tensor) {
  const torch::Tensor wide = tensor.to(torch::kFloat64).contiguous();
  const auto* data = wide.data_ptr<double>();
  return {data, data + wide.numel()};
}

Apply build_resize(const OperatorContext& context) {
  const ResizeForm form = resize_form(context.node);
  const Ints given_axes = context.node.ints_attribute("axes", {});
  return [form, given_axes](const Values& x) -> Values {
    const bool by_sizes = x.size() > 3 && x[3].defined();
    const Doubles wanted = to_scales(by_sizes ? x[3] : x.at(2));
    torch::Tensor y = x[0];
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::int64_t axis =
          given_axes.empty() ? static_cast<std::int64_t>(i) : front_axis(given_axes[i], y.dim());
      const auto in = static_cast<double>(y.size(axis));
      const double scale = by_sizes ? wanted[i] / in : wanted[i];
      const auto out = static_cast<std::int64_t>(by_sizes ? wanted[i] : std::floor(in * scale));
      if (out != y.size(axis) || scale != 1.0) y = resize_axis(y, axis, form, scale, out);
    }
    return {y};
  };
}

constexpr Operator kOperators[] = {{"Resize", build_resize}};

}  // namespace

std::span<const Operator> resize_operators() {
  return kOperators;
}

}  // namespace hexquant::qat
