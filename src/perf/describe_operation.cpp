#include "perf/describe_operation.h"

#include <algorithm>

#include "core/format.h"
#include "perf/work_kind.h"
#include "target/node_unit.h"

namespace hexquant::perf {
namespace {

using graph::Graph;
using graph::Node;

/// A constant, also behind a DequantizeLinear.
const Tensor* find_constant(const Graph& graph, const std::string& value) {
  if (const Tensor* data = graph.find_initializer(value)) return data;
  const Node* producer = graph.producer(value);
  if (producer == nullptr || !target::is_dequantize(*producer)) return nullptr;
  return graph.find_initializer(producer->input(0));
}

void describe_windows(const Node& node, const std::vector<Shape>& shapes, Operation& operation) {
  operation.groups = node.int_attribute("group", 1);
  operation.strides = node.ints_attribute("strides", {});
  operation.dilations = node.ints_attribute("dilations", {});
  operation.kernel = node.ints_attribute("kernel_shape", {});
  const bool windows = operation.kind == WorkKind::kConvolution ||
                       operation.kind == WorkKind::kTransposedConvolution;
  if (windows && shapes.size() > 1 && shapes[1].size() > 2) {
    operation.kernel.assign(shapes[1].begin() + 2, shapes[1].end());
  }
  if (operation.kind == WorkKind::kConvolution && operation.groups > 1 && shapes[0].size() > 1 &&
      operation.groups == shapes[0][1]) {
    operation.kind = WorkKind::kDepthwise;
  }
}

void describe_weights(const Graph& graph, const Node& node, Operation& operation) {
  const Tensor* weights = node.inputs().size() > 1 ? find_constant(graph, node.input(1)) : nullptr;
  if (operation.kind == WorkKind::kMatMul && weights != nullptr) {
    operation.kind = WorkKind::kFullyConnected;
  } else if (operation.kind == WorkKind::kFullyConnected && weights == nullptr) {
    operation.kind = WorkKind::kMatMul;
  }
  switch (operation.kind) {
    case WorkKind::kConvolution:
    case WorkKind::kDepthwise:
    case WorkKind::kTransposedConvolution:
    case WorkKind::kFullyConnected:
    case WorkKind::kRecurrent:
      if (weights != nullptr) operation.weight_bits = dtype_bits(weights->dtype());
      return;
    default:
      return;
  }
}

}  // namespace

void describe_operation(const Graph& graph, const Node& node, const Operands& operands,
                        Workload& work, Operation& operation) {
  const auto tensor = [&](int index) -> const WorkTensor& {
    return work.tensors[static_cast<std::size_t>(index)];
  };
  if (operation.kind == WorkKind::kOther && operation.unit != target::Unit::kCpu) {
    work.findings.push_back(
        {"unknown-operation", Severity::kWarning, node.name(),
         format("{} is not known to the latency model: its cost is a guess", node.op_type()), ""});
  }
  operation.act_bits = operands.outputs.empty() ? 8 : tensor(operands.outputs[0]).bits;
  for (const int input : operands.inputs) {
    if (tensor(input).is_constant) {
      operation.weight_bytes += tensor(input).bytes();
    } else if (tensor(input).is_float || tensor(input).bits <= 16) {  // no indices
      operation.act_bits = std::max(operation.act_bits, std::min(tensor(input).bits, 32));
    }
  }
  describe_windows(node, operands.shapes, operation);
  describe_weights(graph, node, operation);
  if (operands.outputs.empty()) return;
  operation.macs = count_macs(node, operands.shapes, tensor(operands.outputs[0]).shape);
}

bool is_index_constant(const Graph& graph, const std::string& value) {
  const Tensor* data = graph.find_initializer(value);
  return data != nullptr && (data->dtype() == DType::kInt64 || data->dtype() == DType::kBool);
}

}  // namespace hexquant::perf
