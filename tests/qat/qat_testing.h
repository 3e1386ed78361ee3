#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "qat/torch_tensor.h"
#include "qat/trainable_network.h"
#include "runtime/session.h"

namespace hexquant::qat::testing {

/// Seeded normal values.
inline Tensor random_tensor(const Shape& shape, unsigned seed, float spread = 1.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = normal(random);
  return Tensor::from<float>(shape, values);
}

/// Values of the outputs by ONNX Runtime, node by node.
inline std::vector<Tensor> by_runtime(const graph::Graph& graph, const runtime::Feeds& feeds) {
  runtime::SessionOptions options;
  options.optimize = false;
  return runtime::Session(graph, options).run(feeds);
}

inline std::vector<torch::Tensor> torch_inputs(const graph::Graph& graph,
                                               const runtime::Feeds& feeds) {
  std::vector<torch::Tensor> inputs;
  for (const std::string& name : graph.inputs()) inputs.push_back(to_torch(feeds.at(name)));
  return inputs;
}

/// Values of the outputs by a network.
inline std::vector<Tensor> by_network(const TrainableNetwork& network, const graph::Graph& graph,
                                      const runtime::Feeds& feeds, Mode mode) {
  const torch::NoGradGuard no_gradient;
  std::vector<Tensor> outputs;
  for (const torch::Tensor& output : network.forward(torch_inputs(graph, feeds), mode).outputs) {
    outputs.push_back(from_torch(output));
  }
  return outputs;
}

/// Largest difference relative to the largest magnitude (at least 1); infinite where NaN or
/// infinity stand on one side alone.
inline double relative_difference(const Tensor& a, const Tensor& b) {
  const std::vector<double> left = to_doubles(a);
  const std::vector<double> right = to_doubles(b);
  double difference = 0.0;
  double largest = 1.0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i] == right[i] || (std::isnan(left[i]) && std::isnan(right[i]))) continue;
    const double step = std::abs(left[i] - right[i]);
    if (!std::isfinite(step)) return step;
    difference = std::max(difference, step);
    largest = std::max(largest, std::abs(right[i]));
  }
  return difference / largest;
}

/// The network gives what ONNX Runtime gives.
inline void expect_same_outputs(const std::vector<Tensor>& network,
                                const std::vector<Tensor>& runtime, double tolerance) {
  ASSERT_EQ(network.size(), runtime.size());
  for (std::size_t i = 0; i < network.size(); ++i) {
    EXPECT_EQ(network[i].dtype(), runtime[i].dtype()) << "output " << i;
    ASSERT_EQ(network[i].shape(), runtime[i].shape()) << "output " << i;
    EXPECT_TRUE(relative_difference(network[i], runtime[i]) <= tolerance)
        << "output " << i << ": " << relative_difference(network[i], runtime[i]);
  }
}

}  // namespace hexquant::qat::testing
