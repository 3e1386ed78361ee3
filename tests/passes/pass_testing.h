#pragma once

// Helpers of the pass tests: small graphs, seeded inputs, and the proof that a pass kept the
// float function (the original and the changed graph are run and compared).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "hexquant/tensor.h"
#include "runtime/session.h"

namespace hexquant::test {

/// Dimension with a name instead of a number.
inline graph::Dim symbol(const std::string& name) {
  return {-1, name};
}

inline graph::ValueType value_type(DType dtype, const std::vector<graph::Dim>& dims) {
  return {dtype, dims};
}

/// Float type of fixed dimensions; -1 = the free batch "N".
inline graph::ValueType float_type(const Shape& shape) {
  graph::ValueType type{DType::kFloat32, std::vector<graph::Dim>{}};
  for (const std::int64_t dim : shape)
    type.shape->push_back(dim < 0 ? symbol("N") : graph::Dim{dim, ""});
  return type;
}

inline graph::Graph empty_graph(std::int64_t opset = 21) {
  graph::Graph graph;
  graph.info.graph_name = "test";
  graph.opsets[""] = opset;
  return graph;
}

inline Tensor floats(const Shape& shape, const std::vector<float>& values) {
  return Tensor::from<float>(shape, values);
}
inline Tensor ints(const std::vector<std::int64_t>& values) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

/// Uniform in [low, high); the same numbers for the same seed.
inline Tensor random_floats(const Shape& shape, unsigned seed, float low = -1.0F,
                            float high = 1.0F) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) {
    value = low + (high - low) * static_cast<float>(random() % 65536U) / 65536.0F;
  }
  return floats(shape, values);
}

/// One feed for each input: floats in [-2, 2), integers in [0, 5), bool false.
/// @param sizes  number for each symbol; symbols not named are 2
inline runtime::Feeds random_feeds(const graph::Graph& graph, unsigned seed,
                                   const std::map<std::string, std::int64_t>& sizes = {}) {
  runtime::Feeds feeds;
  for (const std::string& name : graph.inputs()) {
    const graph::ValueType& type = *graph.find_type(name);
    Shape shape;
    for (const graph::Dim& dim : *type.shape) {
      const auto found = sizes.find(dim.symbol);
      shape.push_back(dim.is_fixed() ? dim.value : found == sizes.end() ? 2 : found->second);
    }
    if (type.dtype == DType::kFloat32) {
      feeds[name] = random_floats(shape, seed++, -2.0F, 2.0F);
    } else if (type.dtype == DType::kInt64) {
      Tensor tensor(type.dtype, shape);
      std::mt19937 random(seed++);
      for (std::int64_t& value : tensor.mutable_data<std::int64_t>()) value = random() % 5;
      feeds[name] = tensor;
    } else {
      feeds[name] = Tensor(type.dtype, shape);
    }
  }
  return feeds;
}

/// Outputs as written: no optimization hides what a pass did.
inline std::vector<Tensor> run_graph(const graph::Graph& graph, const runtime::Feeds& feeds) {
  runtime::SessionOptions options;
  options.optimize = false;
  return runtime::Session(graph, options).run(feeds);
}

/// max |a - b| / max(1, max |a|); infinity when type or shape differ or where only one is NaN.
inline double largest_difference(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return INFINITY;
  const std::vector<double> x = to_doubles(a);
  const std::vector<double> y = to_doubles(b);
  double scale = 1.0;
  double worst = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double difference = std::abs(x[i] - y[i]);
    worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
    if (std::isfinite(x[i])) scale = std::max(scale, std::abs(x[i]));
  }
  return worst / scale;
}

/// Both graphs compute the same from three seeded inputs, within `tolerance` (see
/// largest_difference; 0 = the same bits but for the sign of zero). Output names and order count.
inline void expect_same_outputs(const graph::Graph& original, const graph::Graph& changed,
                                double tolerance,
                                const std::map<std::string, std::int64_t>& sizes = {}) {
  ASSERT_EQ(original.inputs(), changed.inputs());
  ASSERT_EQ(original.outputs(), changed.outputs());
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const runtime::Feeds feeds = random_feeds(original, 100 * seed, sizes);
    const std::vector<Tensor> expected = run_graph(original, feeds);
    const std::vector<Tensor> actual = run_graph(changed, feeds);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double difference = largest_difference(expected[i], actual[i]);
      EXPECT_TRUE(difference <= tolerance)
          << "output '" << original.outputs()[i] << "', seed " << seed << ": " << difference
          << " > " << tolerance << ", shapes " << shape_text(expected[i].shape()) << " and "
          << shape_text(actual[i].shape());
    }
  }
}

/// Number of nodes of one type.
inline std::ptrdiff_t count_nodes(const graph::Graph& graph, std::string_view op_type) {
  return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                       [&](const graph::Node& node) { return node.op_type() == op_type; });
}

}  // namespace hexquant::test
