#include <algorithm>

#include "perf/stage_builder.h"

namespace hexquant::perf {

void VectorBuilder::add() {
  const double written = layout_.padded_elements(output());
  const int count = tiles(output());
  switch (operation_.kind) {
    case WorkKind::kPool:
      return add_pool();
    case WorkKind::kReduce:
      return vector(VectorTask::kMean, layout_.padded_elements(input()),
                    std::max(1, std::min(4, tiles(input()))), false, true);
    case WorkKind::kElementwise:
      return add_elementwise(written, count);
    case WorkKind::kActivation:
      return add_activation();
    case WorkKind::kDivision:
      return vector(VectorTask::kDivide, written, count);
    case WorkKind::kSoftmax:
      return add_softmax(written, count);
    case WorkKind::kNormalization:
      return vector(VectorTask::kNormalize, written, count);
    case WorkKind::kResize:
      return vector(VectorTask::kResize, written, count);
    case WorkKind::kMover:
      return add_mover(written);
    case WorkKind::kConversion:
      return vector(VectorTask::kConvert, written, count);
    case WorkKind::kReshape:
      return add_reshape();
    case WorkKind::kFree:
      return;
    default:
      return vector(VectorTask::kOther, written, count);
  }
}

void VectorBuilder::add_softmax(double written, int count) {
  const WorkTensor& out = tensor(output());
  const std::int64_t row = out.shape.empty() ? 1 : std::max<std::int64_t>(1, out.shape.back());
  const auto rows = static_cast<double>(out.elements() / row);
  const VectorCost& cost = constants_.vector[static_cast<std::size_t>(VectorTask::kSoftmaxRows)];
  vector(VectorTask::kSoftmax, written, count);
  work_.stages.back().cycles += cost.per_element[width_] * rows;
}

void VectorBuilder::add_mover(double written) {
  if (operation_.op != "Concat") return vector(VectorTask::kMove, written, 1);
  if (!joins_blocks()) vector(VectorTask::kConcat, written, layout_.strips(output()));
}

/// A Concat of whole blocks of channels, or along an outer axis, is where its operands are
/// written to: nothing is copied.
bool VectorBuilder::joins_blocks() const {
  const Shape& out = tensor(output()).shape;
  const std::size_t channels = layout_.is_map(output()) ? 1 : out.size() - 1;
  for (const int index : operation_.inputs) {
    const Shape& in = tensor(index).shape;
    if (in.size() != out.size() || out.empty()) return false;
    for (std::size_t axis = 0; axis < out.size(); ++axis) {
      if (in[axis] == out[axis]) continue;
      if (axis == channels && in[axis] % kChannelBlock != 0) return false;
      if (axis != channels && axis != 0 && in[axis] % 8 != 0) return false;
    }
  }
  return true;
}

void VectorBuilder::add_reshape() {
  const Shape& in = tensor(input()).shape;
  const bool spread = in.size() > 2 && in.back() * in[in.size() - 2] > 1;
  const bool changes_layout = layout_.is_map(input()) != layout_.is_map(output()) && spread;
  vector(changes_layout ? VectorTask::kReshape : VectorTask::kReshapeRows,
         layout_.padded_elements(input()), 1, false, true);
}

bool VectorBuilder::has_scalar() const {
  return std::any_of(operation_.inputs.begin(), operation_.inputs.end(), [&](int index) {
    return tensor(index).is_constant && tensor(index).elements() == 1;
  });
}

void VectorBuilder::add_elementwise(double written, int count) {
  if (has_scalar()) {
    // A table for 8 bits; for 16 bits the scale of the next encoding takes it in.
    if (width_ == 0) vector(VectorTask::kFunction, written, count);
    return;
  }
  if (operation_.op != "Mul") return vector(VectorTask::kAdd, written, count);
  for (const int index : operation_.inputs) {
    const int producer = tensor(index).producer;
    if (producer < 0) continue;
    const Operation& before = workload_.operations[static_cast<std::size_t>(producer)];
    // x * sigmoid(x) is one table.
    if (before.op == "Sigmoid" && is_gate(before)) {
      return vector(VectorTask::kFunction, written, count);
    }
  }
  vector(VectorTask::kMultiply, written, count);
}

/// A table of its own, or a part of the convolution in front of it.
void VectorBuilder::add_activation() {
  if (joins_producer()) return;
  vector(VectorTask::kFunction, layout_.padded_elements(output()), tiles(output()));
}

/// Its result multiplies its own operand, and nothing else reads it.
bool VectorBuilder::is_gate(const Operation& sigmoid) const {
  const WorkTensor& result = tensor(sigmoid.outputs.front());
  if (result.readers.size() != 1 || sigmoid.inputs.empty()) return false;
  const auto& next = workload_.operations[static_cast<std::size_t>(result.readers.front())];
  return next.op == "Mul" && std::find(next.inputs.begin(), next.inputs.end(),
                                       sigmoid.inputs.front()) != next.inputs.end();
}

/// HardSwish and LeakyRelu of 8 bits behind a convolution, Sigmoid in front of x * sigmoid(x).
bool VectorBuilder::joins_producer() const {
  const WorkTensor& in = tensor(input());
  if (operation_.op == "Sigmoid" && is_gate(operation_)) return true;
  if (in.producer < 0 || in.readers.size() != 1) return false;
  const Operation& producer = workload_.operations[static_cast<std::size_t>(in.producer)];
  return producer.kind == WorkKind::kConvolution &&
         (operation_.op == "HardSwish" || operation_.op == "LeakyRelu" || operation_.op == "PRelu");
}

void VectorBuilder::add_pool() {
  work_.halo_tiles = 1;
  const auto window = static_cast<double>(std::max<std::int64_t>(1, product(operation_.kernel)));
  vector(VectorTask::kPool, layout_.padded_elements(output()) * window, tiles(output()));
}

}  // namespace hexquant::perf
