#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::networks {

/// Size of a whole network. Every field changes the cost, so that variants are easy to make.
struct NetworkOptions {
  double width = 1.0;           ///< multiplies channels, rounded to multiples of 8
  std::int64_t resolution = 0;  ///< of square images, or tokens of a sequence; 0 = the usual one
  std::int64_t classes = 1000;
  double depth = 1.0;  ///< multiplies the blocks of each stage, rounded up
  std::int64_t batch = 1;
  std::uint32_t seed = 1;
};

/// "resnet18", "resnet50", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "efficientnet_lite",
/// "squeezenet", "vgg", "unet", "detector", "bert_mini", "vit_tiny".
[[nodiscard]] const std::vector<std::string>& network_names();

/// A float network with float32 inputs and outputs, BatchNorm folded, weights drawn from the seed.
/// The usual block structure of the family; not the published weights.
/// @throws Error(kInvalidArgument) on an unknown name
[[nodiscard]] graph::Graph make_network(const std::string& name, const NetworkOptions& options);

}  // namespace hexquant::networks
