// Networks with large outputs: U-Net (arXiv:1505.04597) and a detector with a path aggregation
// neck (arXiv:1803.01534) in the manner of YOLO.

#include "networks/network_families.h"

namespace hexquant::networks {
namespace {

std::string conv_act(NetworkBuilder& net, const std::string& x, const ConvSpec& spec,
                     const char* activation) {
  return net.activation(net.conv(x, spec), activation);
}

std::string double_conv(NetworkBuilder& net, std::string x, std::int64_t channels,
                        const NetworkOptions& options) {
  const std::int64_t count = deep(2, options);
  for (std::int64_t i = 0; i < count; ++i) {
    x = conv_act(net, x, {.channels = channels, .kernel = 3}, "Relu");
  }
  return x;
}

/// Cross-stage partial block: half of the channels pass `count` residual pairs of convolutions.
std::string csp_block(NetworkBuilder& net, const std::string& x, std::int64_t channels,
                      std::int64_t count, const char* activation) {
  const std::string skip = conv_act(net, x, {.channels = channels / 2}, activation);
  std::string y = conv_act(net, x, {.channels = channels / 2}, activation);
  for (std::int64_t i = 0; i < count; ++i) {
    std::string z = conv_act(net, y, {.channels = channels / 2}, activation);
    z = conv_act(net, z, {.channels = channels / 2, .kernel = 3}, activation);
    y = net.binary("Add", z, y);
  }
  return conv_act(net, net.concat({y, skip}, 1), {.channels = channels}, activation);
}

}  // namespace

graph::Graph make_unet(const NetworkOptions& options) {
  NetworkBuilder net(options.seed);
  std::string x = image_input(net, options, 128);
  const std::vector<std::int64_t> channels = {wide(32, options), wide(64, options),
                                              wide(128, options)};
  std::vector<std::string> skips;
  for (const std::int64_t width : channels) {
    x = double_conv(net, x, width, options);
    skips.push_back(x);
    x = net.pool("MaxPool", x, 2, 2);
  }
  x = double_conv(net, x, wide(256, options), options);
  for (std::size_t i = channels.size(); i-- > 0;) {
    // Both ways of enlarging that are in use.
    x = i == 1 ? conv_act(net, net.resize(x, 2, "nearest"), {.channels = channels[i]}, "Relu")
               : net.conv_transpose(x, channels[i], 2, 2);
    x = double_conv(net, net.concat({x, skips[i]}, 1), channels[i], options);
  }
  net.output(net.conv(x, {.channels = std::min<std::int64_t>(options.classes, 21)}));
  return net.graph();
}

graph::Graph make_detector(const NetworkOptions& options) {
  NetworkBuilder net(options.seed);
  const char* const activation = options.seed % 2 == 0 ? "SiLU" : "LeakyRelu";
  std::string x = image_input(net, options, 256);
  x = conv_act(net, x, {.channels = wide(16, options), .kernel = 3, .stride = 2}, activation);
  std::vector<std::string> levels;
  for (const std::int64_t base : {32, 64, 128, 256}) {
    const std::int64_t width = wide(base, options);
    x = conv_act(net, x, {.channels = width, .kernel = 3, .stride = 2}, activation);
    x = csp_block(net, x, width, deep(base == 32 ? 1 : 2, options), activation);
    levels.push_back(x);
  }
  const std::int64_t small = wide(64, options);
  const std::int64_t middle = wide(128, options);
  const std::string top = conv_act(net, levels[3], {.channels = middle}, activation);
  std::string p4 = csp_block(net, net.concat({net.resize(top, 2, "nearest"), levels[2]}, 1), middle,
                             1, activation);
  p4 = conv_act(net, p4, {.channels = small}, activation);
  const std::string p3 = csp_block(net, net.concat({net.resize(p4, 2, "nearest"), levels[1]}, 1),
                                   small, 1, activation);
  std::string down = conv_act(net, p3, {.channels = small, .kernel = 3, .stride = 2}, activation);
  const std::string n4 = csp_block(net, net.concat({down, p4}, 1), middle, 1, activation);
  down = conv_act(net, n4, {.channels = middle, .kernel = 3, .stride = 2}, activation);
  const std::string n5 =
      csp_block(net, net.concat({down, top}, 1), wide(256, options), 1, activation);
  const std::int64_t outputs = 3 * (5 + std::min<std::int64_t>(options.classes, 80));
  for (const std::string& level : {p3, n4, n5}) net.output(net.conv(level, {.channels = outputs}));
  return net.graph();
}

}  // namespace hexquant::networks
