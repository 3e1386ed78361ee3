#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::networks {

/// A convolution of NetworkBuilder. Padding keeps the size (divided by the stride).
struct ConvSpec {
  std::int64_t channels = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t groups = 1;
  std::int64_t dilation = 1;
};

/// Builds float ONNX graphs with seeded random weights whose values all have shapes. Every call
/// adds a node and returns the name of its output.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(std::uint32_t seed);

  std::string input(const std::string& name, const Shape& shape);
  /// int64 indices.
  std::string index_input(const std::string& name, const Shape& shape);
  void output(const std::string& value);

  /// With a bias.
  std::string conv(const std::string& x, const ConvSpec& spec);
  std::string depthwise(const std::string& x, std::int64_t kernel, std::int64_t stride = 1);
  /// Kernel = stride, or kernel = 2 * stride; the output is `stride` times as large.
  std::string conv_transpose(const std::string& x, std::int64_t channels, std::int64_t kernel,
                             std::int64_t stride);
  /// Gemm for [N,C]; MatMul and Add of a bias for higher ranks.
  std::string fully_connected(const std::string& x, std::int64_t features);
  std::string matmul(const std::string& a, const std::string& b);

  /// "Relu", "Relu6" (a Clip), "SiLU" (Sigmoid and Mul), or the ONNX name of a function of one
  /// element; "" gives x itself.
  std::string activation(const std::string& x, const std::string& kind);
  /// "Add", "Mul", "Sub", "Div"; one-way broadcast of b.
  std::string binary(const std::string& op, const std::string& a, const std::string& b);
  /// `op` with a random constant of this shape.
  std::string binary_constant(const std::string& op, const std::string& a, const Shape& shape);
  std::string concat(const std::vector<std::string>& values, std::int64_t axis);
  /// "MaxPool" or "AveragePool" with the padding that keeps the size (divided by the stride).
  std::string pool(const std::string& op, const std::string& x, std::int64_t kernel,
                   std::int64_t stride);
  std::string global_average_pool(const std::string& x);
  std::string softmax(const std::string& x);     ///< over the last axis
  std::string layer_norm(const std::string& x);  ///< over the last axis
  std::string transpose(const std::string& x, const std::vector<std::int64_t>& permutation);
  std::string reshape(const std::string& x, const Shape& shape);
  /// Zeros before and behind the channels of a feature map.
  std::string pad_channels(const std::string& x, std::int64_t before, std::int64_t after);
  /// Every `step`-th row and column of a feature map.
  std::string decimate(const std::string& x, std::int64_t step);
  std::string reduce_mean(const std::string& x, std::int64_t axis);
  std::string expand(const std::string& x, const Shape& shape);
  /// Rows of a random table.
  std::string embedding(const std::string& indices, std::int64_t rows, std::int64_t features);
  /// Whole-number enlargement of a feature map; "nearest" or "linear".
  std::string resize(const std::string& x, std::int64_t factor, const std::string& mode);

  [[nodiscard]] const Shape& shape(const std::string& value) const { return shapes_.at(value); }
  [[nodiscard]] const graph::Graph& graph() const noexcept { return graph_; }

 private:
  std::string add(const std::string& op, std::vector<std::string> inputs, const Shape& shape,
                  graph::Attributes attributes = {});
  std::string weight(const Shape& shape, double deviation);
  std::string int64s(const std::vector<std::int64_t>& values);

  graph::Graph graph_;
  std::mt19937 generator_;
  std::map<std::string, Shape> shapes_;
  int count_ = 0;
};

}  // namespace hexquant::networks
