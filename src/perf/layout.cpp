#include <algorithm>

#include "perf/operation_work.h"

namespace hexquant::perf {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// Has its operands and results as feature maps when they have four axes.
bool works_on_maps(WorkKind kind) {
  switch (kind) {
    case WorkKind::kConvolution:
    case WorkKind::kDepthwise:
    case WorkKind::kTransposedConvolution:
    case WorkKind::kPool:
    case WorkKind::kResize:
      return true;
    default:
      return false;
  }
}

/// Keeps the layout of what it reads.
bool keeps_layout(const Operation& operation) {
  const WorkKind kind = operation.kind;
  return operation.op != "Transpose" && kind != WorkKind::kReshape && kind != WorkKind::kMatMul &&
         kind != WorkKind::kFullyConnected && kind != WorkKind::kRecurrent;
}

/// Groups of channels that were apart are one axis again; every pixel keeps its place.
bool joins_channel_groups(const Workload& workload, const Operation& operation) {
  if (operation.op != "Reshape" || operation.inputs.empty()) return false;
  const Shape& in = workload.tensors[static_cast<std::size_t>(operation.inputs[0])].shape;
  const Shape& out = workload.tensors[static_cast<std::size_t>(operation.outputs[0])].shape;
  return in.size() == 5 && out.size() == 4 && std::equal(in.end() - 2, in.end(), out.end() - 2);
}

}  // namespace

Layout::Layout(const Workload& workload)
    : workload_(workload), is_map_(workload.tensors.size(), false) {
  mark_maps();
}

void Layout::mark_maps() {
  const auto is_spatial = [&](int tensor) {
    const WorkTensor& t = workload_.tensors[static_cast<std::size_t>(tensor)];
    return !t.is_constant && t.shape.size() >= 3;
  };
  const auto mark = [&](const std::vector<int>& tensors) {
    for (const int tensor : tensors) {
      if (is_spatial(tensor)) is_map_[static_cast<std::size_t>(tensor)] = true;
    }
  };
  const auto any_map = [&](const std::vector<int>& tensors) {
    return std::any_of(tensors.begin(), tensors.end(), [&](int tensor) { return is_map(tensor); });
  };
  for (const Operation& operation : workload_.operations) {
    if (works_on_maps(operation.kind)) {
      mark(operation.inputs);
      mark(operation.outputs);
    } else if (joins_channel_groups(workload_, operation)) {
      mark(operation.outputs);
    } else if (keeps_layout(operation) && any_map(operation.inputs)) {
      mark(operation.outputs);
    }
  }
  // What feeds a feature map without changing the layout is one, back to the graph's inputs.
  for (std::size_t i = workload_.operations.size(); i-- > 0;) {
    const Operation& operation = workload_.operations[i];
    if (keeps_layout(operation) && any_map(operation.outputs)) mark(operation.inputs);
  }
}

double Layout::padded_elements(int tensor) const {
  const Shape& shape = workload_.tensors[static_cast<std::size_t>(tensor)].shape;
  if (shape.empty()) return 32.0;
  std::int64_t elements = 1;
  if (is_map(tensor)) {
    elements = shape[0] * round_up(shape[1], 32);
    for (std::size_t axis = 2; axis < shape.size(); ++axis) {
      elements *= shape[axis] == 1 ? 1 : round_up(shape[axis], 8);
    }
  } else {
    for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis) elements *= shape[axis];
    if (shape.size() > 1) {
      const std::int64_t rows = shape[shape.size() - 2];
      elements *= rows == 1 ? 1 : round_up(rows, 8);
    }
    elements *= round_up(shape.back(), 32);
  }
  return static_cast<double>(elements);
}

std::int64_t Layout::padded_bytes(int tensor) const {
  const WorkTensor& t = workload_.tensors[static_cast<std::size_t>(tensor)];
  const int bits = t.is_float ? 16 : std::max(8, t.bits);
  return static_cast<std::int64_t>(padded_elements(tensor)) * bits / 8;
}

int Layout::strips(int tensor) const {
  const Shape& shape = workload_.tensors[static_cast<std::size_t>(tensor)].shape;
  if (shape.size() < 2) return 1;
  std::int64_t strips = 1;
  if (is_map(tensor)) {
    strips = shape[0] * (round_up(shape[2], 8) / 8);
  } else {
    // Of five and more axes the last two before the channels are rows of one strip.
    const std::size_t row_axes = shape.size() > 4 ? 2 : 1;
    std::int64_t rows = 1;
    for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) {
      (axis + 1 + row_axes < shape.size() ? strips : rows) *= shape[axis];
    }
    strips *= round_up(rows, 32) / 32;
  }
  return static_cast<int>(std::clamp<std::int64_t>(strips, 1, 4096));
}

}  // namespace hexquant::perf
