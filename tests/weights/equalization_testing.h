#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "quant/fake_quant.h"
#include "quant/quant_plan.h"
#include "runtime/session.h"
#include "support/graph_builder.h"
#include "weights/channel_gains.h"
#include "weights/equalization_groups.h"

namespace hexquant::weights {

/// Small nets with seeded random weights; the shapes of values are given by the caller.
class RandomNet {
 public:
  explicit RandomNet(unsigned seed) : random_(seed) {}

  RandomNet& input(const std::string& name, const Shape& shape) {
    graph_.add_input(name, test::GraphBuilder::type_of(shape, DType::kFloat32));
    return *this;
  }
  /// Normal weights; slice i along `axis` is multiplied by factors[i] where factors are given.
  RandomNet& weight(const std::string& name, const Shape& shape, std::vector<float> factors = {},
                    std::size_t axis = 0) {
    std::normal_distribution<float> normal(0.0F, 0.5F);
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    std::size_t inner = 1;
    for (std::size_t d = axis + 1; d < shape.size(); ++d) {
      inner *= static_cast<std::size_t>(shape[d]);
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = normal(random_);
      if (!factors.empty()) values[i] *= factors[i / inner % factors.size()];
    }
    graph_.add_initializer(name, Tensor::from<float>(shape, values));
    return *this;
  }
  RandomNet& values(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    graph_.add_initializer(name, Tensor::from<float>(shape, values));
    return *this;
  }
  RandomNet& node(const std::string& op, const std::vector<std::string>& inputs,
                  const std::string& output, const Shape& shape,
                  graph::Attributes attributes = {}) {
    graph_.set_type(output, test::GraphBuilder::type_of(shape, DType::kFloat32));
    graph_.add_node({op, inputs, {output}, std::move(attributes), output});
    return *this;
  }
  graph::Graph finish(const std::vector<std::string>& outputs) {
    graph_.opsets[""] = 17;
    for (const std::string& output : outputs) graph_.add_output(output);
    return graph_;
  }

 private:
  std::mt19937 random_;
  graph::Graph graph_;
};

inline std::vector<runtime::Feeds> random_feeds(const graph::Graph& graph, int count, unsigned seed,
                                                float spread = 1.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<runtime::Feeds> feeds(static_cast<std::size_t>(count));
  for (auto& sample : feeds) {
    for (const std::string& name : graph.inputs()) {
      const Shape shape = *graph.find_type(name)->fixed_shape();
      std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
      for (float& value : values) value = normal(random);
      sample.emplace(name, Tensor::from<float>(shape, values));
    }
  }
  return feeds;
}

/// sum (a - b)^2 / sum a^2 over all outputs and samples.
inline double relative_difference(const graph::Graph& reference, const graph::Graph& graph,
                                  const std::vector<runtime::Feeds>& feeds) {
  const runtime::Session left(reference, {});
  const runtime::Session right(graph, {});
  double noise = 0.0;
  double signal = 0.0;
  for (const auto& sample : feeds) {
    const auto a = left.run(sample);
    const auto b = right.run(sample);
    for (std::size_t o = 0; o < a.size(); ++o) {
      const auto x = a[o].data<float>();
      const auto y = b[o].data<float>();
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
        noise += d * d;
        signal += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      }
    }
  }
  return noise / signal;
}

/// Rounding of weights once to float moves outputs by about 1e-7 of their size a layer.
inline constexpr double kRoundingOnly = 1e-10;

/// Channel statistics of all values with float types, channels along axis 1 (the last of rank 3).
inline ChannelTable observe(const graph::Graph& graph, const std::vector<runtime::Feeds>& feeds) {
  ChannelTable table;
  std::vector<std::string> names = graph.inputs();
  for (const graph::Node& node : graph.nodes()) names.push_back(node.output());
  const runtime::Session session(graph, {}, names);
  std::map<std::string, double> counts;
  for (const auto& sample : feeds) {
    const auto results = session.run(sample);
    for (std::size_t v = 0; v < names.size(); ++v) {
      const Shape& shape = results[v].shape();
      const std::size_t axis = shape.size() == 3 ? 2 : 1;
      const auto channels = static_cast<std::size_t>(shape[axis]);
      std::size_t inner = 1;
      for (std::size_t d = axis + 1; d < shape.size(); ++d) {
        inner *= static_cast<std::size_t>(shape[d]);
      }
      ChannelStatistics& row = table[names[v]];
      if (row.min.empty()) {
        row.min.assign(channels, 1e30);
        row.max.assign(channels, -1e30);
        row.mean.assign(channels, 0.0);
        row.mean_square.assign(channels, 0.0);
      }
      const auto values = results[v].data<float>();
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t c = i / inner % channels;
        const double x = values[i];
        row.min[c] = std::min(row.min[c], x);
        row.max[c] = std::max(row.max[c], x);
        row.mean[c] += x;
        row.mean_square[c] += x * x;
      }
      counts[names[v]] += static_cast<double>(values.size()) / static_cast<double>(channels);
    }
  }
  for (auto& [name, row] : table) {
    for (double& value : row.mean) value /= counts[name];
    for (double& value : row.mean_square) value /= counts[name];
  }
  return table;
}

/// int8 weights of all layers with one scale (or one a channel), uint8 activations.
inline quant::QuantPlan simple_plan(const graph::Graph& graph, Granularity granularity) {
  quant::QuantPlan plan;
  for (const ScaleGroup& group : find_scale_groups(graph)) {
    for (const std::string& value : group.values) plan.tensors[value] = {};
    for (const auto* layers : {&group.producers, &group.consumers}) {
      for (const std::string& output : *layers) {
        quant::TensorPolicy policy;
        policy.role = quant::Role::kWeight;
        policy.type = DType::kInt8;
        policy.symmetric = true;
        policy.granularity = granularity;
        plan.tensors[graph.producer(output)->input(1)] = policy;
      }
    }
  }
  return plan;
}

/// `graph` with all its weights of rank >= 2 rounded to int8 with one scale a tensor.
inline graph::Graph round_weights(graph::Graph graph) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : graph.initializers()) {
    if (tensor.dtype() == DType::kFloat32 && tensor.rank() >= 2) names.push_back(name);
  }
  for (const std::string& name : names) {
    const Tensor tensor = *graph.find_initializer(name);
    Range range;
    for (const float value : tensor.data<float>()) {
      range.min = std::min(range.min, value);
      range.max = std::max(range.max, value);
    }
    const Encoding encoding = encoding_from_range(range, DType::kInt8, true);
    graph.set_initializer(name, fake_quantize_tensor(tensor, encoding));
  }
  return graph;
}

}  // namespace hexquant::weights
