// ResNet (He et al., arXiv:1512.03385), VGG-like and SqueezeNet (Iandola et al., arXiv:1602.07360).

#include <array>

#include "networks/network_families.h"

namespace hexquant::networks {
namespace {

constexpr std::array<std::int64_t, 4> kStageChannels = {64, 128, 256, 512};

std::string conv_relu(NetworkBuilder& net, const std::string& x, const ConvSpec& spec) {
  return net.activation(net.conv(x, spec), "Relu");
}

std::string basic_block(NetworkBuilder& net, const std::string& x, std::int64_t channels,
                        std::int64_t stride) {
  const std::string a = conv_relu(net, x, {.channels = channels, .kernel = 3, .stride = stride});
  const std::string b = net.conv(a, {.channels = channels, .kernel = 3});
  const bool same = stride == 1 && net.shape(x)[1] == channels;
  const std::string shortcut = same ? x : net.conv(x, {.channels = channels, .stride = stride});
  return net.activation(net.binary("Add", b, shortcut), "Relu");
}

std::string bottleneck(NetworkBuilder& net, const std::string& x, std::int64_t channels,
                       std::int64_t stride) {
  const std::string a = conv_relu(net, x, {.channels = channels});
  const std::string b = conv_relu(net, a, {.channels = channels, .kernel = 3, .stride = stride});
  const std::string c = net.conv(b, {.channels = channels * 4});
  const bool same = stride == 1 && net.shape(x)[1] == channels * 4;
  const std::string shortcut = same ? x : net.conv(x, {.channels = channels * 4, .stride = stride});
  return net.activation(net.binary("Add", c, shortcut), "Relu");
}

template <typename Block>
graph::Graph make_resnet(const NetworkOptions& options, const std::array<std::int64_t, 4>& blocks,
                         Block block) {
  NetworkBuilder net(options.seed);
  std::string x = image_input(net, options, 224);
  x = conv_relu(net, x, {.channels = wide(64, options), .kernel = 7, .stride = 2});
  x = net.pool("MaxPool", x, 3, 2);
  for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
    const std::int64_t count = deep(blocks[stage], options);
    for (std::int64_t i = 0; i < count; ++i) {
      x = block(net, x, wide(kStageChannels[stage], options), stage > 0 && i == 0 ? 2 : 1);
    }
  }
  classifier(net, x, options);
  return net.graph();
}

}  // namespace

graph::Graph make_resnet18(const NetworkOptions& options) {
  return make_resnet(options, {2, 2, 2, 2}, basic_block);
}

graph::Graph make_resnet50(const NetworkOptions& options) {
  return make_resnet(options, {3, 4, 6, 3}, bottleneck);
}

graph::Graph make_vgg(const NetworkOptions& options) {
  NetworkBuilder net(options.seed);
  std::string x = image_input(net, options, 128);
  for (const std::int64_t channels : {64, 128, 256, 512}) {
    const std::int64_t count = deep(2, options);
    for (std::int64_t i = 0; i < count; ++i) {
      x = conv_relu(net, x, {.channels = wide(channels, options), .kernel = 3});
    }
    x = net.pool("MaxPool", x, 2, 2);
  }
  const Shape shape = net.shape(x);
  x = net.reshape(x, {shape[0], shape[1] * shape[2] * shape[3]});
  x = net.activation(net.fully_connected(x, wide(512, options)), "Relu");
  net.output(net.fully_connected(x, options.classes));
  return net.graph();
}

graph::Graph make_squeezenet(const NetworkOptions& options) {
  NetworkBuilder net(options.seed);
  std::string x = image_input(net, options, 224);
  x = conv_relu(net, x, {.channels = wide(64, options), .kernel = 3, .stride = 2});
  const auto fire = [&](std::int64_t squeeze, std::int64_t expand) {
    const std::string s = conv_relu(net, x, {.channels = wide(squeeze, options)});
    const std::string a = conv_relu(net, s, {.channels = wide(expand, options)});
    const std::string b = conv_relu(net, s, {.channels = wide(expand, options), .kernel = 3});
    x = net.concat({a, b}, 1);
  };
  for (const std::int64_t squeeze : {16, 32, 48, 64}) {
    x = net.pool("MaxPool", x, 3, 2);
    const std::int64_t count = deep(2, options);
    for (std::int64_t i = 0; i < count; ++i) fire(squeeze, squeeze * 4);
  }
  x = conv_relu(net, x, {.channels = options.classes});
  const std::string mean = net.global_average_pool(x);
  net.output(net.reshape(mean, {options.batch, options.classes}));
  return net.graph();
}

}  // namespace hexquant::networks
