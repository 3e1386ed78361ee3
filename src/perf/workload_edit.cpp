#include "perf/workload_edit.h"

#include <algorithm>

namespace hexquant::perf {
namespace {

WorkTensor& tensor_of(Workload& work, int index) {
  return work.tensors[static_cast<std::size_t>(index)];
}

/// Constants are counted once for each operation that reads them.
void count_weight_bytes(Workload& work, Operation& operation) {
  operation.weight_bytes = 0;
  for (const int index : operation.inputs) {
    const WorkTensor& tensor = tensor_of(work, index);
    if (tensor.is_constant) operation.weight_bytes += tensor.bytes();
  }
}

/// A conversion between equal forms has nothing to do.
void free_needless_conversions(Workload& work) {
  for (std::size_t i = 0; i < work.operations.size(); ++i) {
    const Operation& operation = work.operations[i];
    if (operation.kind != WorkKind::kConversion) continue;
    const WorkTensor& from = tensor_of(work, operation.inputs.at(0));
    const WorkTensor& to = tensor_of(work, operation.outputs.at(0));
    if (from.bits == to.bits && from.is_float == to.is_float) make_free(work, i);
  }
}

}  // namespace

void set_weight_bits(Workload& work, std::size_t operation, int bits) {
  Operation& layer = work.operations[operation];
  int largest = -1;
  for (const int index : layer.inputs) {
    const WorkTensor& tensor = tensor_of(work, index);
    if (!tensor.is_constant) continue;
    if (largest < 0 || tensor.elements() > tensor_of(work, largest).elements()) largest = index;
  }
  if (largest < 0) return;
  tensor_of(work, largest).bits = bits;
  layer.weight_bits = bits;
  count_weight_bytes(work, layer);
}

void set_activation_bits(Workload& work, int bits) {
  for (WorkTensor& tensor : work.tensors) {
    if (!tensor.is_constant && !tensor.is_float && tensor.bits <= 16) tensor.bits = bits;
  }
  for (Operation& operation : work.operations) {
    if (operation.unit == target::Unit::kNpuInteger) operation.act_bits = bits;
  }
  free_needless_conversions(work);
}

void make_integer(Workload& work, std::size_t operation, int bits) {
  Operation& layer = work.operations[operation];
  layer.unit = target::Unit::kNpuInteger;
  layer.act_bits = bits;
  for (const std::vector<int>* side : {&layer.inputs, &layer.outputs}) {
    for (const int index : *side) {
      WorkTensor& tensor = tensor_of(work, index);
      if (tensor.is_graph_input || tensor.is_graph_output || !tensor.is_float) continue;
      tensor.is_float = false;
      tensor.bits = tensor.is_constant ? 8 : bits;
    }
  }
  if (layer.weight_bits > 8) layer.weight_bits = 8;
  count_weight_bytes(work, layer);
  free_needless_conversions(work);
}

void make_free(Workload& work, std::size_t operation) {
  work.operations[operation].kind = WorkKind::kFree;
  work.operations[operation].unit = target::Unit::kFolded;
}

void quantize_borders(Workload& work) {
  for (std::size_t i = 0; i < work.operations.size(); ++i) {
    const Operation& operation = work.operations[i];
    if (operation.kind != WorkKind::kConversion) continue;
    WorkTensor& from = tensor_of(work, operation.inputs.at(0));
    WorkTensor& to = tensor_of(work, operation.outputs.at(0));
    if (from.is_graph_input) {
      from.bits = to.bits;
      from.is_float = to.is_float;
    } else if (to.is_graph_output) {
      to.bits = from.bits;
      to.is_float = from.is_float;
    }
  }
  free_needless_conversions(work);
  for (WorkTensor& tensor : work.tensors) {
    if (tensor.shape.size() == 4 && (tensor.is_graph_input || tensor.is_graph_output)) {
      tensor.channels_last = true;
    }
  }
}

}  // namespace hexquant::perf
