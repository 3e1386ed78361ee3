#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::qat {

/// Inputs or outputs of a node, in order; an absent optional input is an undefined tensor.
using Values = std::vector<torch::Tensor>;
/// A node as a function of its inputs, made of operations that LibTorch differentiates.
using Apply = std::function<Values(const Values&)>;

/// A node and where it stands.
struct OperatorContext {
  const graph::Graph& graph;
  const graph::Node& node;

  /// The constant that the node reads as input `index`; nullptr = none, or it is computed.
  [[nodiscard]] const Tensor* constant(std::size_t index) const {
    return graph.find_initializer(node.input(index));
  }
  [[nodiscard]] bool has_input(std::size_t index) const { return !node.input(index).empty(); }
  /// Integers that stand in an attribute in older operator sets and in an input in newer ones.
  /// The result reads them from the values at hand. @param attribute, index  where they may stand
  [[nodiscard]] std::function<std::optional<std::vector<std::int64_t>>(const Values&)> integers(
      const std::string& attribute, std::size_t index) const;
};

/// Turns a node into a function. @throws Error(kUnsupported) with the reason, without the node
using Build = Apply (*)(const OperatorContext&);

struct Operator {
  const char* type;  ///< "Conv"; other domains as "com.microsoft.Gelu"
  Build build;
};

/// @throws Error(kUnsupported) with this reason
[[noreturn]] void unsupported(const std::string& reason);

/// Elements of a 1-D or scalar integer tensor.
[[nodiscard]] std::vector<std::int64_t> to_integers(const torch::Tensor& tensor);

/// An axis counted from the end made one counted from the front.
[[nodiscard]] inline std::int64_t front_axis(std::int64_t axis, std::int64_t rank) noexcept {
  return axis < 0 ? axis + rank : axis;
}

/// Zeros (or `value`) around the last axes. @param pads  ONNX order: all begins, then all ends
[[nodiscard]] torch::Tensor pad_axes(const torch::Tensor& x, const std::vector<std::int64_t>& pads,
                                     double value);

/// Sliding window of Conv and pools along the last axes.
struct Window {
  std::vector<std::int64_t> kernel;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> pads;  ///< begins, then ends; empty with auto_pad
  std::string auto_pad;            ///< "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"
  bool ceil_mode = false;

  /// @param kernel  its size; its length is the number of spatial axes
  static Window read(const graph::Node& node, std::vector<std::int64_t> kernel);
  /// Pads for an input of this shape, begins then ends.
  [[nodiscard]] std::vector<std::int64_t> pads_for(torch::IntArrayRef shape) const;
  /// Size of the kernel with its dilation along spatial axis d.
  [[nodiscard]] std::int64_t extent(std::size_t d) const {
    return dilations[d] * (kernel[d] - 1) + 1;
  }
  /// Number of positions along spatial axis d of an input of size `size` with these pads.
  [[nodiscard]] std::int64_t output_size(std::size_t d, std::int64_t size,
                                         const std::vector<std::int64_t>& pads) const;
};

// The families; the registry joins them.
[[nodiscard]] std::span<const Operator> linear_operators();
[[nodiscard]] std::span<const Operator> unary_operators();
[[nodiscard]] std::span<const Operator> binary_operators();
[[nodiscard]] std::span<const Operator> pool_operators();
[[nodiscard]] std::span<const Operator> normalize_operators();
[[nodiscard]] std::span<const Operator> reduce_operators();
[[nodiscard]] std::span<const Operator> shape_operators();
[[nodiscard]] std::span<const Operator> index_operators();
[[nodiscard]] std::span<const Operator> resize_operators();

/// The operator of a node; nullptr = there is none.
[[nodiscard]] const Operator* find_operator(const graph::Node& node);

}  // namespace hexquant::qat
