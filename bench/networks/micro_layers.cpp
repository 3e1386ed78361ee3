#include "networks/micro_layers.h"

#include <algorithm>
#include <vector>

namespace hexquant::networks {
namespace {

std::int64_t channels(Net& net, const Value& x) {
  return net.shape(x)[1];
}

Value conv(Net& net, const Value& x, std::int64_t kernel, std::int64_t groups = 1,
           std::int64_t dilation = 1) {
  return net.activation(
      net.conv(
          x,
          {.channels = channels(net, x), .kernel = kernel, .groups = groups, .dilation = dilation}),
      "Relu");
}

Value activated(Net& net, const Value& x, const char* kind) {
  return net.activation(net.conv(x, {.channels = channels(net, x)}), kind);
}

}  // namespace

Value conv1x1(Net& net, const Value& x) {
  return conv(net, x, 1);
}
Value conv3x3(Net& net, const Value& x) {
  return conv(net, x, 3);
}
Value conv5x5(Net& net, const Value& x) {
  return conv(net, x, 5);
}
Value conv7x7(Net& net, const Value& x) {
  return conv(net, x, 7);
}
Value grouped(Net& net, const Value& x) {
  return conv(net, x, 3, 4);
}
Value dilated(Net& net, const Value& x) {
  return conv(net, x, 3, 1, 2);
}
Value depthwise3(Net& net, const Value& x) {
  return net.activation(net.depthwise(x, 3), "Relu6");
}
Value depthwise5(Net& net, const Value& x) {
  return net.activation(net.depthwise(x, 5), "Relu6");
}
Value strided3(Net& net, const Value& x) {
  return net.activation(net.conv(x, {.channels = channels(net, x) * 2, .kernel = 3, .stride = 2}),
                        "Relu");
}
Value strided1(Net& net, const Value& x) {
  return net.conv(x, {.channels = channels(net, x) * 2, .kernel = 1, .stride = 2});
}
Value strided_depthwise(Net& net, const Value& x) {
  return net.activation(net.depthwise(x, 3, 2), "Relu6");
}
Value separable(Net& net, const Value& x) {
  return conv1x1(net, depthwise3(net, x));
}
Value expand(Net& net, const Value& x) {
  const Value y = net.activation(net.conv(x, {.channels = channels(net, x) * 4}), "Relu");
  return net.conv(y, {.channels = channels(net, x)});
}
Value residual(Net& net, const Value& x) {
  return net.activation(net.binary("Add", conv(net, x, 3), x), "Relu");
}
Value with_multiply(Net& net, const Value& x) {
  return net.binary("Mul", conv1x1(net, x), x);
}
Value max_pool(Net& net, const Value& x) {
  return net.pool("MaxPool", conv1x1(net, x), 3, 1);
}
Value halving_pool(Net& net, const Value& x) {
  return net.pool("MaxPool", conv1x1(net, x), 2, 2);
}
Value average_pool(Net& net, const Value& x) {
  return net.pool("AveragePool", conv1x1(net, x), 3, 1);
}
Value scaled_by_mean(Net& net, const Value& x) {
  const Value y = conv1x1(net, x);
  return net.binary("Mul", y, net.activation(net.global_average_pool(y), "Sigmoid"));
}
Value with_sigmoid(Net& net, const Value& x) {
  return activated(net, x, "Sigmoid");
}
Value with_tanh(Net& net, const Value& x) {
  return activated(net, x, "Tanh");
}
Value with_silu(Net& net, const Value& x) {
  return activated(net, x, "SiLU");
}
Value with_hard_swish(Net& net, const Value& x) {
  return activated(net, x, "HardSwish");
}
Value with_leaky_relu(Net& net, const Value& x) {
  return activated(net, x, "LeakyRelu");
}
Value with_gelu(Net& net, const Value& x) {
  return activated(net, x, "Gelu");
}
Value with_concat(Net& net, const Value& x) {
  const std::int64_t half = channels(net, x) / 2;
  const Value a = net.activation(net.conv(x, {.channels = half}), "Relu");
  const Value b = net.activation(net.conv(x, {.channels = half, .kernel = 3}), "Relu");
  return net.concat({a, b}, 1);
}
Value with_resize(Net& net, const Value& x) {
  return net.resize(net.pool("MaxPool", conv1x1(net, x), 2, 2), 2, "nearest");
}
Value with_linear_resize(Net& net, const Value& x) {
  return net.resize(net.pool("MaxPool", conv1x1(net, x), 2, 2), 2, "linear");
}
Value with_transposed_conv(Net& net, const Value& x) {
  const std::int64_t width = channels(net, x);
  return net.conv_transpose(
      net.activation(net.conv(x, {.channels = width, .kernel = 3, .stride = 2}), "Relu"), width, 2,
      2);
}
Value with_transpose(Net& net, const Value& x) {
  return net.transpose(conv1x1(net, x), {0, 1, 3, 2});
}
Value channel_shuffle(Net& net, const Value& x) {
  const Value y = conv1x1(net, x);
  const Shape shape = net.shape(y);
  const Value groups = net.reshape(y, {shape[0], 2, shape[1] / 2, shape[2], shape[3]});
  return net.reshape(net.transpose(groups, {0, 2, 1, 3, 4}), shape);
}
Value channel_pad(Net& net, const Value& x) {
  const Value y = conv1x1(net, x);
  return net.pad_channels(y, channels(net, x) / 2, channels(net, x) / 2);
}
Value strided_slice(Net& net, const Value& x) {
  return net.decimate(conv1x1(net, x), 2);
}
Value mean_by_axes(Net& net, const Value& x) {
  return net.reduce_mean(net.reduce_mean(conv1x1(net, x), 3), 2);
}
Value small_image(Net& net, const Value& x) {
  const Value y = net.activation(net.conv(x, {.channels = 16, .kernel = 3}), "Relu");
  return conv3x3(net, y);
}
Value wide_input(Net& net, const Value& x) {
  return net.global_average_pool(net.activation(net.conv(x, {.channels = 32}), "Relu"));
}
Value wide_output(Net& net, const Value& x) {
  return net.activation(net.conv(x, {.channels = channels(net, x) * 8}), "Relu");
}
Value repeated_heads(Net& net, const Value& x) {
  const Shape shape = net.shape(x);
  const std::int64_t heads = shape[2] / 16;
  const Value y = net.reshape(net.fully_connected(x, shape[2]), {1, shape[1], heads, 1, 16});
  const Value twice = net.expand(y, {1, shape[1], heads, 2, 16});
  return net.fully_connected(net.reshape(twice, {1, shape[1], heads * 32}), shape[2]);
}
Value dense(Net& net, const Value& x) {
  return net.activation(net.fully_connected(x, net.shape(x).back()), "Relu");
}
Value widening(Net& net, const Value& x) {
  return net.activation(net.fully_connected(x, net.shape(x).back() * 4), "Relu");
}
Value narrowing(Net& net, const Value& x) {
  return net.activation(net.fully_connected(x, net.shape(x).back() / 4), "Relu");
}
Value feed_forward(Net& net, const Value& x) {
  const Value y = net.activation(net.fully_connected(x, net.shape(x).back() * 4), "Gelu");
  return net.fully_connected(y, net.shape(x).back());
}
Value dense_softmax(Net& net, const Value& x) {
  return net.softmax(net.fully_connected(x, net.shape(x).back()));
}
Value dense_norm(Net& net, const Value& x) {
  return net.layer_norm(net.fully_connected(x, net.shape(x).back()));
}
Value self_product(Net& net, const Value& x) {
  const Shape shape = net.shape(x);
  const std::int64_t heads = std::max<std::int64_t>(1, shape[2] / 64);
  const Value split =
      net.reshape(net.fully_connected(x, shape[2]), {1, shape[1], heads, shape[2] / heads});
  const Value q = net.transpose(split, {0, 2, 1, 3});
  const Value scores = net.matmul(q, net.transpose(split, {0, 2, 3, 1}));
  const Value mixed = net.matmul(net.softmax(scores), q);
  return net.reshape(net.transpose(mixed, {0, 2, 1, 3}), shape);
}

Value masked_attention(Net& net, const Value& x) {
  const Shape shape = net.shape(x);
  const std::int64_t heads = shape[2] / 32;
  const auto heads_of = [&](const std::vector<std::int64_t>& order) {
    const Value y = net.fully_connected(x, shape[2]);
    return net.transpose(net.reshape(y, {1, shape[1], heads, 32}), order);
  };
  const Value keys = heads_of({0, 2, 3, 1});
  const Value scores = net.matmul(heads_of({0, 2, 1, 3}), keys);
  const Value mask = net.reshape(net.reduce_mean(x, 2), {1, 1, 1, shape[1]});
  const Value weights =
      net.softmax(net.binary("Add", net.binary_constant("Mul", scores, {1}), mask));
  const Value mixed = net.matmul(weights, heads_of({0, 2, 1, 3}));
  return net.fully_connected(net.reshape(net.transpose(mixed, {0, 2, 1, 3}), shape), shape[2]);
}

}  // namespace hexquant::networks
