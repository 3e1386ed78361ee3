#include "perf/operation_work.h"

#include <algorithm>

#include "perf/stage_builder.h"

namespace hexquant::perf {

std::int64_t stored_weight_bytes(const Workload& workload, const Operation& operation) {
  const WorkTensor* weights = nullptr;
  for (const int index : operation.inputs) {
    const WorkTensor& t = workload.tensors[static_cast<std::size_t>(index)];
    if (t.is_constant && t.shape.size() >= 2) {
      weights = &t;
      break;
    }
  }
  if (weights == nullptr) return 0;
  const Shape& shape = weights->shape;
  const int bits = operation.unit == target::Unit::kNpuFloat ? 16 : weights->bits;
  std::int64_t window = 1;
  for (std::size_t axis = 2; axis < shape.size(); ++axis) window *= shape[axis];
  std::int64_t out = shape[0];
  std::int64_t in = shape[1];
  if (operation.kind == WorkKind::kDepthwise) in = 4;  // packed by four
  if (operation.kind == WorkKind::kTransposedConvolution) std::swap(out, in);
  if (operation.kind == WorkKind::kFullyConnected && !operation.outputs.empty()) {
    // Gemm may hold its weights either way round.
    const Shape& result = workload.tensors[static_cast<std::size_t>(operation.outputs[0])].shape;
    out = std::max<std::int64_t>(1, result.empty() ? 1 : result.back());
    in = weights->elements() / out;
    window = 1;
  }
  const std::int64_t padded_out = ceil_div(out, kChannelBlock) * kChannelBlock;
  const std::int64_t unit = padded_out > kChannelBlock && in > kChannelBlock ? kChannelBlock : 4;
  const std::int64_t padded_in = ceil_div(in, unit) * unit;
  const std::int64_t bytes = window * padded_out * padded_in * bits / 8;
  const std::int64_t slices = ceil_div(out, kChannelsOfEvent);
  return ceil_div(bytes, kTransferUnit) * kTransferUnit + slices * kTransferUnit;
}

std::vector<OperationWork> operation_work(const Workload& workload, const Layout& layout,
                                          const LatencyConstants& constants,
                                          const WorkOptions& options) {
  std::vector<OperationWork> all(workload.operations.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Operation& operation = workload.operations[i];
    OperationWork& work = all[i];
    BorderBuilder border(workload, layout, constants, options, operation, work);
    border.add_inputs();
    if (border.is_border_conversion()) {
      // Nothing but the borders.
    } else if (operation.unit == target::Unit::kCpu && operation.kind != WorkKind::kConversion) {
      const WorkTensor& out = workload.tensors[static_cast<std::size_t>(operation.outputs.front())];
      const double us = constants.cpu_transfer_us +
                        static_cast<double>(out.elements()) / constants.cpu_elements_per_us;
      work.stages.push_back({Lane::kCpu, us, 1, false, true});
    } else if (!LayerBuilder(workload, layout, constants, options, operation, work).add()) {
      VectorBuilder(workload, layout, constants, options, operation, work).add();
    }
    border.add_outputs();
  }
  return all;
}

}  // namespace hexquant::perf
