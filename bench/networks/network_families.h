#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "networks/network_builder.h"
#include "networks/whole_networks.h"

// The families behind make_network.
namespace hexquant::networks {

/// `channels` times the width multiplier, a multiple of 8 and at least 8.
[[nodiscard]] inline std::int64_t wide(std::int64_t channels, const NetworkOptions& options) {
  const auto eighths =
      static_cast<std::int64_t>(std::lround(static_cast<double>(channels) * options.width / 8.0));
  return std::max<std::int64_t>(8, eighths * 8);
}

/// `blocks` times the depth multiplier, at least 1.
[[nodiscard]] inline std::int64_t deep(std::int64_t blocks, const NetworkOptions& options) {
  const auto count =
      static_cast<std::int64_t>(std::ceil(static_cast<double>(blocks) * options.depth - 1e-9));
  return std::max<std::int64_t>(1, count);
}

/// The image input of a network.
[[nodiscard]] inline std::string image_input(NetworkBuilder& net, const NetworkOptions& options,
                                             std::int64_t usual_resolution) {
  const std::int64_t size = options.resolution > 0 ? options.resolution : usual_resolution;
  return net.input("input", {options.batch, 3, size, size});
}

/// Mean over the map, then a linear classifier.
inline void classifier(NetworkBuilder& net, const std::string& x, const NetworkOptions& options) {
  const std::string mean = net.global_average_pool(x);
  const Shape shape = net.shape(mean);
  net.output(net.fully_connected(net.reshape(mean, {shape[0], shape[1]}), options.classes));
}

[[nodiscard]] graph::Graph make_resnet18(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_resnet50(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_vgg(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_squeezenet(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_mobilenet_v1(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_mobilenet_v2(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_mobilenet_v3(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_efficientnet_lite(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_unet(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_detector(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_bert_mini(const NetworkOptions& options);
[[nodiscard]] graph::Graph make_vit_tiny(const NetworkOptions& options);

}  // namespace hexquant::networks
