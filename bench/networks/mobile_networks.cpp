// MobileNet v1 (arXiv:1704.04861), v2 (arXiv:1801.04381), v3 (arXiv:1905.02244), EfficientNet-Lite.

#include "networks/network_families.h"

namespace hexquant::networks {
namespace {

/// A stage of inverted residual blocks.
struct Stage {
  std::int64_t expansion;
  std::int64_t channels;
  std::int64_t blocks;
  std::int64_t stride;
  std::int64_t kernel = 3;
  bool squeeze = false;
  const char* activation = "Relu6";
};

/// x scaled by channel: mean, two 1x1 convolutions, HardSigmoid.
std::string squeeze_excite(NetworkBuilder& net, const std::string& x) {
  const std::int64_t channels = net.shape(x)[1];
  const std::int64_t reduced = std::max<std::int64_t>(8, channels / 32 * 8);
  std::string s = net.global_average_pool(x);
  s = net.activation(net.conv(s, {.channels = reduced}), "Relu");
  s = net.activation(net.conv(s, {.channels = channels}), "HardSigmoid");
  return net.binary("Mul", x, s);
}

std::string inverted_residual(NetworkBuilder& net, const std::string& x, const Stage& stage,
                              std::int64_t channels, std::int64_t stride) {
  const std::int64_t in_channels = net.shape(x)[1];
  std::string y = x;
  if (stage.expansion != 1) {
    y = net.activation(net.conv(y, {.channels = in_channels * stage.expansion}), stage.activation);
  }
  y = net.activation(net.depthwise(y, stage.kernel, stride), stage.activation);
  if (stage.squeeze) y = squeeze_excite(net, y);
  y = net.conv(y, {.channels = channels});
  return stride == 1 && in_channels == channels ? net.binary("Add", x, y) : y;
}

graph::Graph make_inverted(const NetworkOptions& options, const std::vector<Stage>& stages,
                           std::int64_t first, std::int64_t last, const char* activation) {
  NetworkBuilder net(options.seed);
  std::string x = image_input(net, options, 224);
  x = net.conv(x, {.channels = wide(first, options), .kernel = 3, .stride = 2});
  x = net.activation(x, activation);
  for (const Stage& stage : stages) {
    const std::int64_t count = deep(stage.blocks, options);
    for (std::int64_t i = 0; i < count; ++i) {
      x = inverted_residual(net, x, stage, wide(stage.channels, options),
                            i == 0 ? stage.stride : 1);
    }
  }
  x = net.activation(net.conv(x, {.channels = wide(last, options)}), activation);
  classifier(net, x, options);
  return net.graph();
}

}  // namespace

graph::Graph make_mobilenet_v1(const NetworkOptions& options) {
  NetworkBuilder net(options.seed);
  std::string x = image_input(net, options, 224);
  x = net.conv(x, {.channels = wide(32, options), .kernel = 3, .stride = 2});
  x = net.activation(x, "Relu6");
  const auto block = [&](std::int64_t channels, std::int64_t stride) {
    x = net.activation(net.depthwise(x, 3, stride), "Relu6");
    x = net.activation(net.conv(x, {.channels = wide(channels, options)}), "Relu6");
  };
  block(64, 1);
  for (const std::int64_t channels : {128, 256, 512}) {
    block(channels, 2);
    const std::int64_t count = deep(channels == 512 ? 5 : 1, options);
    for (std::int64_t i = 0; i < count; ++i) block(channels, 1);
  }
  block(1024, 2);
  block(1024, 1);
  classifier(net, x, options);
  return net.graph();
}

graph::Graph make_mobilenet_v2(const NetworkOptions& options) {
  return make_inverted(options,
                       {{1, 16, 1, 1},
                        {6, 24, 2, 2},
                        {6, 32, 3, 2},
                        {6, 64, 4, 2},
                        {6, 96, 3, 1},
                        {6, 160, 3, 2},
                        {6, 320, 1, 1}},
                       32, 1280, "Relu6");
}

graph::Graph make_mobilenet_v3(const NetworkOptions& options) {
  return make_inverted(options,
                       {{1, 16, 1, 1, 3, false, "Relu"},
                        {4, 24, 2, 2, 3, false, "Relu"},
                        {3, 40, 3, 2, 5, true, "Relu"},
                        {6, 80, 1, 2, 3, false, "HardSwish"},
                        {3, 80, 3, 1, 3, false, "HardSwish"},
                        {6, 112, 2, 1, 3, true, "HardSwish"},
                        {6, 160, 3, 2, 5, true, "HardSwish"}},
                       16, 960, "HardSwish");
}

graph::Graph make_efficientnet_lite(const NetworkOptions& options) {
  return make_inverted(options,
                       {{1, 16, 1, 1},
                        {6, 24, 2, 2},
                        {6, 40, 2, 2, 5},
                        {6, 80, 3, 2},
                        {6, 112, 3, 1, 5},
                        {6, 192, 4, 2, 5},
                        {6, 320, 1, 1}},
                       32, 1280, "Relu6");
}

}  // namespace hexquant::networks
