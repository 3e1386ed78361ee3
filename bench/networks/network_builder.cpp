#include "networks/network_builder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "hexquant/error.h"

namespace hexquant::networks {
namespace {

graph::ValueType value_type(const Shape& shape, DType dtype = DType::kFloat32) {
  graph::ValueType type;
  type.dtype = dtype;
  type.shape.emplace();
  for (const std::int64_t dim : shape) type.shape->push_back({dim, ""});
  return type;
}

/// Zeros around a window so that the output is ceil(size / stride).
std::vector<std::int64_t> same_pads(const Shape& shape, std::int64_t kernel, std::int64_t stride,
                                    std::int64_t dilation) {
  std::vector<std::int64_t> pads(4);
  const std::int64_t span = (kernel - 1) * dilation + 1;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t size = shape[axis + 2];
    const std::int64_t out = (size + stride - 1) / stride;
    const std::int64_t pad = std::max<std::int64_t>(0, (out - 1) * stride + span - size);
    pads[axis] = (pad + 1) / 2;
    pads[axis + 2] = pad / 2;
  }
  return pads;
}

Shape strided(const Shape& shape, std::int64_t channels, std::int64_t stride) {
  return {shape[0], channels, (shape[2] + stride - 1) / stride, (shape[3] + stride - 1) / stride};
}

}  // namespace

NetworkBuilder::NetworkBuilder(std::uint32_t seed) : generator_(seed) {
  graph_.opsets[""] = 21;
  graph_.info.ir_version = 10;
}

std::string NetworkBuilder::input(const std::string& name, const Shape& shape) {
  graph_.add_input(name, value_type(shape));
  shapes_[name] = shape;
  return name;
}

std::string NetworkBuilder::index_input(const std::string& name, const Shape& shape) {
  graph_.add_input(name, value_type(shape, DType::kInt64));
  shapes_[name] = shape;
  return name;
}

void NetworkBuilder::output(const std::string& value) {
  graph_.add_output(value);
}

std::string NetworkBuilder::add(const std::string& op, std::vector<std::string> inputs,
                                const Shape& shape, graph::Attributes attributes) {
  const std::string name = op + "_" + std::to_string(count_++);
  graph_.set_type(name, value_type(shape));
  graph_.add_node({op, std::move(inputs), {name}, std::move(attributes), name, ""});
  shapes_[name] = shape;
  return name;
}

std::string NetworkBuilder::weight(const Shape& shape, double deviation) {
  // Sums of uniform numbers: the bits of std::normal_distribution depend on the library.
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) {
    const auto bits = generator_();
    const auto first = static_cast<double>(bits & 0xFFFFU) / 65536.0;
    const auto second = static_cast<double>(bits >> 16U) / 65536.0;
    value = static_cast<float>((first + second - 1.0) * 2.449 * deviation);
  }
  const std::string name = "constant_" + std::to_string(count_++);
  graph_.add_initializer(name, Tensor::from<float>(shape, values));
  shapes_[name] = shape;
  return name;
}

std::string NetworkBuilder::int64s(const std::vector<std::int64_t>& values) {
  const std::string name = "constant_" + std::to_string(count_++);
  graph_.add_initializer(
      name, Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  return name;
}

std::string NetworkBuilder::conv(const std::string& x, const ConvSpec& spec) {
  const Shape in = shape(x);
  const std::int64_t per_group = in[1] / spec.groups;
  const double fan_in = static_cast<double>(per_group * spec.kernel * spec.kernel);
  const std::string w =
      weight({spec.channels, per_group, spec.kernel, spec.kernel}, 1.0 / std::sqrt(fan_in));
  const std::string bias = weight({spec.channels}, 0.1);
  return add("Conv", {x, w, bias}, strided(in, spec.channels, spec.stride),
             {{"kernel_shape", std::vector<std::int64_t>{spec.kernel, spec.kernel}},
              {"strides", std::vector<std::int64_t>{spec.stride, spec.stride}},
              {"dilations", std::vector<std::int64_t>{spec.dilation, spec.dilation}},
              {"group", spec.groups},
              {"pads", same_pads(in, spec.kernel, spec.stride, spec.dilation)}});
}

std::string NetworkBuilder::depthwise(const std::string& x, std::int64_t kernel,
                                      std::int64_t stride) {
  const std::int64_t channels = shape(x)[1];
  return conv(x, {.channels = channels, .kernel = kernel, .stride = stride, .groups = channels});
}

std::string NetworkBuilder::conv_transpose(const std::string& x, std::int64_t channels,
                                           std::int64_t kernel, std::int64_t stride) {
  const Shape in = shape(x);
  const std::int64_t pad = (kernel - stride) / 2;
  const std::string w =
      weight({in[1], channels, kernel, kernel}, 1.0 / std::sqrt(static_cast<double>(in[1])));
  const std::string bias = weight({channels}, 0.1);
  return add("ConvTranspose", {x, w, bias}, {in[0], channels, in[2] * stride, in[3] * stride},
             {{"kernel_shape", std::vector<std::int64_t>{kernel, kernel}},
              {"strides", std::vector<std::int64_t>{stride, stride}},
              {"pads", std::vector<std::int64_t>(4, pad)}});
}

std::string NetworkBuilder::fully_connected(const std::string& x, std::int64_t features) {
  Shape out = shape(x);
  const std::int64_t in_features = out.back();
  out.back() = features;
  const double deviation = 1.0 / std::sqrt(static_cast<double>(in_features));
  const std::string bias_value = weight({features}, 0.1);
  if (out.size() == 2) {
    const std::string w = weight({features, in_features}, deviation);
    return add("Gemm", {x, w, bias_value}, out, {{"transB", std::int64_t{1}}});
  }
  const std::string w = weight({in_features, features}, deviation);
  return add("Add", {add("MatMul", {x, w}, out), bias_value}, out);
}

std::string NetworkBuilder::matmul(const std::string& a, const std::string& b) {
  Shape out = shape(a);
  out.back() = shape(b).back();
  return add("MatMul", {a, b}, out);
}

std::string NetworkBuilder::activation(const std::string& x, const std::string& kind) {
  if (kind.empty()) return x;
  const Shape out = shape(x);
  if (kind == "Relu6") {
    const std::string low = "constant_" + std::to_string(count_++);
    const std::string high = "constant_" + std::to_string(count_++);
    graph_.add_initializer(low, Tensor::scalar<float>(0.0F));
    graph_.add_initializer(high, Tensor::scalar<float>(6.0F));
    return add("Clip", {x, low, high}, out);
  }
  if (kind == "SiLU") return add("Mul", {x, add("Sigmoid", {x}, out)}, out);
  if (kind == "LeakyRelu") return add("LeakyRelu", {x}, out, {{"alpha", 0.1F}});
  return add(kind, {x}, out);
}

std::string NetworkBuilder::binary(const std::string& op, const std::string& a,
                                   const std::string& b) {
  return add(op, {a, b}, shape(a));
}

std::string NetworkBuilder::binary_constant(const std::string& op, const std::string& a,
                                            const Shape& constant_shape) {
  return binary(op, a, weight(constant_shape, 1.0));
}

std::string NetworkBuilder::concat(const std::vector<std::string>& values, std::int64_t axis) {
  Shape out = shape(values.front());
  auto& dim = out[static_cast<std::size_t>(axis)];
  dim = 0;
  for (const std::string& value : values) dim += shape(value)[static_cast<std::size_t>(axis)];
  return add("Concat", values, out, {{"axis", axis}});
}

std::string NetworkBuilder::pool(const std::string& op, const std::string& x, std::int64_t kernel,
                                 std::int64_t stride) {
  const Shape in = shape(x);
  return add(op, {x}, strided(in, in[1], stride),
             {{"kernel_shape", std::vector<std::int64_t>{kernel, kernel}},
              {"strides", std::vector<std::int64_t>{stride, stride}},
              {"pads", same_pads(in, kernel, stride, 1)}});
}

std::string NetworkBuilder::global_average_pool(const std::string& x) {
  const Shape in = shape(x);
  return add("GlobalAveragePool", {x}, {in[0], in[1], 1, 1});
}

std::string NetworkBuilder::softmax(const std::string& x) {
  return add("Softmax", {x}, Shape(shape(x)), {{"axis", std::int64_t{-1}}});
}

std::string NetworkBuilder::layer_norm(const std::string& x) {
  const Shape in = shape(x);
  const std::string scale = weight({in.back()}, 0.5);
  const std::string bias = weight({in.back()}, 0.1);
  return add("LayerNormalization", {x, scale, bias}, in, {{"axis", std::int64_t{-1}}});
}

std::string NetworkBuilder::transpose(const std::string& x,
                                      const std::vector<std::int64_t>& permutation) {
  const Shape in = shape(x);
  Shape out;
  for (const std::int64_t axis : permutation) out.push_back(in[static_cast<std::size_t>(axis)]);
  return add("Transpose", {x}, out, {{"perm", permutation}});
}

std::string NetworkBuilder::reshape(const std::string& x, const Shape& out) {
  return add("Reshape", {x, int64s(out)}, out);
}

std::string NetworkBuilder::pad_channels(const std::string& x, std::int64_t before,
                                         std::int64_t after) {
  Shape out = shape(x);
  out[1] += before + after;
  return add("Pad", {x, int64s({0, before, 0, 0, 0, after, 0, 0})}, out);
}

std::string NetworkBuilder::decimate(const std::string& x, std::int64_t step) {
  const Shape in = shape(x);
  return add("Slice",
             {x, int64s({0, 0}), int64s({in[2], in[3]}), int64s({2, 3}), int64s({step, step})},
             strided(in, in[1], step));
}

std::string NetworkBuilder::reduce_mean(const std::string& x, std::int64_t axis) {
  Shape out = shape(x);
  out.erase(out.begin() + axis);
  return add("ReduceMean", {x, int64s({axis})}, out, {{"keepdims", std::int64_t{0}}});
}

std::string NetworkBuilder::expand(const std::string& x, const Shape& out) {
  return add("Expand", {x, int64s(out)}, out);
}

std::string NetworkBuilder::embedding(const std::string& indices, std::int64_t rows,
                                      std::int64_t features) {
  Shape out = shape(indices);
  out.push_back(features);
  return add("Gather", {weight({rows, features}, 1.0), indices}, out);
}

std::string NetworkBuilder::resize(const std::string& x, std::int64_t factor,
                                   const std::string& mode) {
  const Shape in = shape(x);
  const auto scale = static_cast<float>(factor);
  const std::string scales = "constant_" + std::to_string(count_++);
  graph_.add_initializer(scales, Tensor::from<float>({4}, std::vector<float>{1, 1, scale, scale}));
  return add("Resize", {x, "", scales}, {in[0], in[1], in[2] * factor, in[3] * factor},
             {{"mode", mode},
              {"coordinate_transformation_mode",
               std::string(mode == "nearest" ? "asymmetric" : "half_pixel")},
              {"nearest_mode", std::string("floor")}});
}

}  // namespace hexquant::networks
