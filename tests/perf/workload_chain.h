#pragma once

#include <string>
#include <utility>
#include <vector>

#include "perf/workload.h"

namespace hexquant::perf {

/// A chain of layers, written by hand.
class Chain {
 public:
  explicit Chain(const Shape& shape, int bits = 8) {
    value_ = tensor(shape, bits, false);
    work_.tensors.back().is_graph_input = true;
    work_.inputs.push_back(value_);
  }

  Chain& conv(std::int64_t channels, std::int64_t kernel, int weight_bits = 8) {
    const Shape in = work_.tensors[static_cast<std::size_t>(value_)].shape;
    Operation operation;
    operation.kind = WorkKind::kConvolution;
    operation.op = "Conv";
    operation.kernel = {kernel, kernel};
    operation.strides = {1, 1};
    operation.weight_bits = weight_bits;
    operation.macs = channels * in[1] * kernel * kernel * in[2] * in[3];
    const int weights = tensor({channels, in[1], kernel, kernel}, weight_bits, true);
    return append(std::move(operation), {value_, weights}, {in[0], channels, in[2], in[3]});
  }

  Chain& unary(WorkKind kind, const std::string& op) {
    Operation operation;
    operation.kind = kind;
    operation.op = op;
    const Shape shape = work_.tensors[static_cast<std::size_t>(value_)].shape;
    return append(std::move(operation), {value_}, shape);
  }

  /// One operation on the value and, with a shape, on a constant.
  Chain& move(WorkKind kind, const std::string& op, const Shape& shape,
              const Shape& constant = {}) {
    Operation operation;
    operation.kind = kind;
    operation.op = op;
    std::vector<int> inputs = {value_};
    const int bits = work_.tensors[static_cast<std::size_t>(value_)].bits;
    if (!constant.empty()) inputs.push_back(tensor(constant, bits, true));
    return append(std::move(operation), inputs, shape);
  }

  /// Adds an earlier value.
  Chain& add(int other) {
    Operation operation;
    operation.kind = WorkKind::kElementwise;
    operation.op = "Add";
    const Shape shape = work_.tensors[static_cast<std::size_t>(value_)].shape;
    return append(std::move(operation), {value_, other}, shape);
  }

  /// The value in another width.
  Chain& convert(int bits) {
    unary(WorkKind::kConversion, "QuantizeLinear");
    work_.tensors[static_cast<std::size_t>(value_)].bits = bits;
    return *this;
  }

  [[nodiscard]] int value() const { return value_; }

  Workload done() {
    work_.tensors[static_cast<std::size_t>(value_)].is_graph_output = true;
    work_.outputs = {value_};
    return work_;
  }

 private:
  int tensor(const Shape& shape, int bits, bool constant) {
    WorkTensor tensor;
    tensor.name = "t" + std::to_string(work_.tensors.size());
    tensor.shape = shape;
    tensor.bits = bits;
    tensor.is_constant = constant;
    work_.tensors.push_back(tensor);
    return static_cast<int>(work_.tensors.size()) - 1;
  }

  Chain& append(Operation operation, const std::vector<int>& inputs, const Shape& shape) {
    const int bits = work_.tensors[static_cast<std::size_t>(value_)].bits;
    const auto index = static_cast<int>(work_.operations.size());
    operation.name = operation.op + std::to_string(index);
    operation.act_bits = bits;
    operation.inputs = inputs;
    for (const int input : inputs) {
      work_.tensors[static_cast<std::size_t>(input)].readers.push_back(index);
    }
    value_ = tensor(shape, bits, false);
    work_.tensors.back().producer = index;
    operation.outputs = {value_};
    work_.operations.push_back(std::move(operation));
    return *this;
  }

  Workload work_;
  int value_ = 0;
};

}  // namespace hexquant::perf
