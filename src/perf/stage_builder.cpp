#include "perf/stage_builder.h"

namespace hexquant::perf {
namespace {

std::size_t width_index(const Operation& operation) {
  if (operation.unit == target::Unit::kNpuFloat) return 2;
  return operation.act_bits > 8 ? 1 : 0;
}

}  // namespace

StageBuilder::StageBuilder(const Workload& workload, const Layout& layout,
                           const LatencyConstants& constants, const WorkOptions& options,
                           const Operation& operation, OperationWork& work)
    : workload_(workload),
      layout_(layout),
      constants_(constants),
      options_(options),
      operation_(operation),
      work_(work),
      width_(width_index(operation)) {}

/// First operand that is computed; the output when there is none.
int StageBuilder::input() const {
  for (const int index : operation_.inputs) {
    if (!tensor(index).is_constant) return index;
  }
  return output();
}

void StageBuilder::vector(VectorTask task, double elements, int tiles, bool is_boundary,
                          bool needs_all) {
  const VectorCost& cost = constants_.vector[static_cast<std::size_t>(task)];
  const double cycles = cost.per_tile * tiles + cost.per_element[width_] * elements;
  work_.stages.push_back({Lane::kVector, cycles, std::max(1, tiles), is_boundary, needs_all});
}

void StageBuilder::matrix(MatrixTask task, const MatrixShape& shape) {
  const MatrixCost& cost = constants_.matrix[static_cast<std::size_t>(task)];
  const std::int64_t slices =
      shape.groups * ceil_div(ceil_div(shape.out_channels, shape.groups), kChannelsOfEvent);
  const auto out_blocks = static_cast<double>(
      shape.groups * ceil_div(shape.out_channels / shape.groups, kChannelBlock));
  const auto in_blocks = static_cast<double>(ceil_div(shape.in_channels, kChannelBlock));
  const auto window = static_cast<double>(shape.window);
  const auto pixels = static_cast<double>(shape.blocks);
  const auto events = static_cast<double>(shape.strips * slices);
  const double per_output = out_blocks * in_blocks * window;
  const bool has_wide_weights = width_ == 1 && operation_.weight_bits > 8;
  const double narrow = cost.per_product[width_];
  const double product = has_wide_weights ? std::max(narrow, cost.per_wide_product) : narrow;
  const double weight = has_wide_weights ? cost.per_wide_weight : cost.per_weight;
  const double cycles = cost.per_event * events + product * pixels * per_output +
                        cost.per_store[width_] * pixels * out_blocks +
                        weight * static_cast<double>(shape.strips) * per_output;
  work_.stages.push_back({Lane::kMatrix, cycles, static_cast<int>(shape.strips)});
}

/// Tiles of a vector task: strips, or slices of channels where there are fewer strips.
int StageBuilder::tiles(int index) const {
  const int strips = layout_.strips(index);
  const Shape& shape = tensor(index).shape;
  if (shape.size() < 2) return strips;
  const std::int64_t channels = layout_.is_map(index) ? shape[1] : shape.back();
  const auto slices = static_cast<int>(ceil_div(channels, 2 * kChannelBlock));
  return std::max(strips, std::min(4, slices * strips));
}

}  // namespace hexquant::perf
