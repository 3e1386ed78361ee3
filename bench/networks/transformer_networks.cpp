// Encoders: BERT-mini (arXiv:1810.04805, from embedded tokens on) and ViT-tiny (arXiv:2010.11929).

#include "networks/network_families.h"

namespace hexquant::networks {
namespace {

struct EncoderSize {
  std::int64_t heads;
  std::int64_t features;
  std::int64_t hidden;
};

/// [B,S,F] -> [B,heads,S,F/heads], or with the last two axes exchanged for the keys.
std::string split_heads(NetworkBuilder& net, const std::string& x, const EncoderSize& size,
                        bool is_key) {
  const Shape shape = net.shape(x);
  const std::string y =
      net.reshape(x, {shape[0], shape[1], size.heads, size.features / size.heads});
  return net.transpose(
      y, is_key ? std::vector<std::int64_t>{0, 2, 3, 1} : std::vector<std::int64_t>{0, 2, 1, 3});
}

std::string attention(NetworkBuilder& net, const std::string& x, const EncoderSize& size) {
  const Shape shape = net.shape(x);
  const std::string q = split_heads(net, net.fully_connected(x, size.features), size, false);
  const std::string k = split_heads(net, net.fully_connected(x, size.features), size, true);
  const std::string v = split_heads(net, net.fully_connected(x, size.features), size, false);
  const std::string scores = net.binary_constant("Mul", net.matmul(q, k), {1});
  const std::string mixed = net.matmul(net.softmax(scores), v);
  const std::string joined = net.reshape(net.transpose(mixed, {0, 2, 1, 3}), shape);
  return net.fully_connected(joined, size.features);
}

std::string feed_forward(NetworkBuilder& net, const std::string& x, const EncoderSize& size) {
  const std::string hidden = net.activation(net.fully_connected(x, size.hidden), "Gelu");
  return net.fully_connected(hidden, size.features);
}

}  // namespace

graph::Graph make_bert_mini(const NetworkOptions& options) {
  NetworkBuilder net(options.seed);
  const std::int64_t heads = std::max<std::int64_t>(1, wide(32, options) / 8);
  const EncoderSize size{heads, heads * 64, heads * 256};
  const std::int64_t tokens = options.resolution > 0 ? options.resolution : 128;
  std::string x = net.input("embedded", {options.batch, tokens, size.features});
  x = net.layer_norm(x);
  const std::int64_t layers = deep(4, options);
  for (std::int64_t i = 0; i < layers; ++i) {
    x = net.layer_norm(net.binary("Add", x, attention(net, x, size)));
    x = net.layer_norm(net.binary("Add", x, feed_forward(net, x, size)));
  }
  net.output(x);
  return net.graph();
}

graph::Graph make_vit_tiny(const NetworkOptions& options) {
  NetworkBuilder net(options.seed);
  const std::int64_t heads = std::max<std::int64_t>(1, wide(24, options) / 8);
  const EncoderSize size{heads, heads * 64, heads * 256};
  std::string x = image_input(net, options, 224);
  const Shape image = net.shape(x);
  // Patches of 16 x 16: the convolution of NetworkBuilder pads nothing when the stride divides.
  x = net.conv(x, {.channels = size.features, .kernel = 16, .stride = 16});
  const std::int64_t tokens = (image[2] / 16) * (image[3] / 16);
  x = net.transpose(net.reshape(x, {options.batch, size.features, tokens}), {0, 2, 1});
  x = net.binary_constant("Add", x, {1, tokens, size.features});
  const std::int64_t layers = deep(6, options);
  for (std::int64_t i = 0; i < layers; ++i) {
    x = net.binary("Add", x, attention(net, net.layer_norm(x), size));
    x = net.binary("Add", x, feed_forward(net, net.layer_norm(x), size));
  }
  x = net.layer_norm(x);
  const std::string mean = net.global_average_pool(
      net.reshape(net.transpose(x, {0, 2, 1}), {options.batch, size.features, tokens, 1}));
  net.output(
      net.fully_connected(net.reshape(mean, {options.batch, size.features}), options.classes));
  return net.graph();
}

}  // namespace hexquant::networks
