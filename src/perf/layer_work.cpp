#include <algorithm>

#include "perf/stage_builder.h"

namespace hexquant::perf {
namespace {

constexpr std::int64_t kImageChannels = 4;  ///< inputs with at most so many are images
constexpr double kSmallImage = 1 << 16;     ///< elements in blocks that one thread re-orders

}  // namespace

bool LayerBuilder::add() {
  switch (operation_.kind) {
    case WorkKind::kConvolution:
      add_convolution();
      return true;
    case WorkKind::kDepthwise:
      add_depthwise();
      return true;
    case WorkKind::kTransposedConvolution:
      add_transposed_convolution();
      return true;
    case WorkKind::kFullyConnected:
      add_fully_connected();
      return true;
    case WorkKind::kMatMul:
      add_matmul();
      return true;
    case WorkKind::kRecurrent:
      add_recurrent();
      return true;
    default:
      return false;
  }
}

void LayerBuilder::add_weights() {
  work_.weight_bytes =
      static_cast<std::int64_t>(static_cast<double>(stored_weight_bytes(workload_, operation_)) *
                                options_.weight_compression);
  work_.ddr_read_bytes += work_.weight_bytes;
  const Shape& out = tensor(output()).shape;
  const std::int64_t channels =
      layout_.is_map(output()) && out.size() > 1 ? out[1] : (out.empty() ? 1 : out.back());
  work_.transfers = 2 * static_cast<int>(ceil_div(channels, kChannelsOfEvent));
}

MatrixShape LayerBuilder::map_shape() const {
  const Shape& out = tensor(output()).shape;
  MatrixShape shape;
  const std::int64_t height = out.size() > 3 ? out[2] : 1;
  const std::int64_t wide = out.back();
  shape.strips = out[0] * ceil_div(height, 8);
  shape.blocks = shape.strips * ceil_div(wide, 8);
  shape.out_channels = out[1];
  shape.groups = operation_.groups;
  shape.in_channels = tensor(input()).shape[1] / std::max<std::int64_t>(1, operation_.groups);
  shape.window = std::max<std::int64_t>(1, product(operation_.kernel));
  return shape;
}

std::int64_t LayerBuilder::stride() const {
  return operation_.strides.empty() ? 1 : product(operation_.strides);
}

/// Zeros where blocks reach beyond the map, for windows larger than one element.
void LayerBuilder::add_border() {
  const Shape& in = tensor(input()).shape;
  if (in.size() < 4 || (in[2] % 8 == 0 && in[3] % 8 == 0)) return;
  const std::int64_t strips = ceil_div(in[2], 8);
  const std::int64_t columns = ceil_div(in[3], 8);
  std::int64_t rim = 0;
  if (in[3] % 8 != 0) rim += strips;
  if (in[2] % 8 != 0) rim += columns;
  vector(VectorTask::kClearBorder,
         static_cast<double>(in[0] * rim * ceil_div(in[1], kChannelBlock)),
         layout_.strips(input()));
}

void LayerBuilder::add_convolution() {
  add_weights();
  const MatrixShape shape = map_shape();
  if (shape.window > 1) work_.halo_tiles = 1;
  const bool dilated = std::any_of(operation_.dilations.begin(), operation_.dilations.end(),
                                   [](std::int64_t dilation) { return dilation > 1; });
  if (stride() > 1 && shape.window > 1) return add_strided(shape);
  if (stride() > 1) {
    vector(VectorTask::kDecimate,
           static_cast<double>(shape.blocks * 64) *
               static_cast<double>(ceil_div(shape.in_channels, 32) * 32),
           static_cast<int>(shape.strips));
  } else if (shape.window > 1) {
    add_border();
  }
  matrix(dilated ? MatrixTask::kDilated : MatrixTask::kDense, shape);
}

/// Elements of a stride become channels; then the window has no stride.
void LayerBuilder::add_strided(MatrixShape shape) {
  const auto read = static_cast<double>(tensor(input()).elements());
  const bool is_image = shape.in_channels <= kImageChannels;
  if (is_patch(operation_)) {
    vector(VectorTask::kPatches, read, tiles(input()));
  } else {
    const double padded = layout_.padded_elements(input());
    vector(is_image ? VectorTask::kImageToDepth : VectorTask::kSpaceToDepth, padded,
           is_image && padded <= kSmallImage ? 1 : tiles(input()));
  }
  shape.in_channels *= stride();
  shape.window = 1;
  for (std::size_t axis = 0; axis < operation_.kernel.size(); ++axis) {
    const std::int64_t step = axis < operation_.strides.size() ? operation_.strides[axis] : 1;
    shape.window *= ceil_div(operation_.kernel[axis], step);
  }
  matrix(MatrixTask::kStrided, shape);
}

void LayerBuilder::add_depthwise() {
  add_weights();
  MatrixShape shape = map_shape();
  work_.halo_tiles = 1;
  if (stride() > 1) {
    work_.transfers = 0;
    return vector(VectorTask::kDepthwise,
                  layout_.padded_elements(output()) * static_cast<double>(shape.window),
                  tiles(output()));
  }
  add_border();
  shape.groups = 1;
  shape.in_channels = 1;
  matrix(MatrixTask::kDepthwise, shape);
}

void LayerBuilder::add_transposed_convolution() {
  add_weights();
  // Computed as a convolution with stride^2 times the output channels, spread afterwards.
  const Shape& in = tensor(input()).shape;
  MatrixShape shape;
  shape.strips = in[0] * ceil_div(in.size() > 3 ? in[2] : 1, 8);
  shape.blocks = shape.strips * ceil_div(in.back(), 8);
  shape.in_channels = in[1];
  shape.out_channels = tensor(output()).shape[1] * stride();
  shape.window = ceil_div(std::max<std::int64_t>(1, product(operation_.kernel)), stride());
  matrix(MatrixTask::kDense, shape);
  vector(VectorTask::kDepthToSpace, layout_.padded_elements(output()), tiles(output()));
}

/// Rows of a product of matrices: all leading axes.
MatrixShape LayerBuilder::row_shape(const Shape& out, std::int64_t in_channels) const {
  MatrixShape shape;
  const std::int64_t rows = out.size() > 1 ? out[out.size() - 2] : 1;
  for (std::size_t axis = 0; axis + 2 < out.size(); ++axis) shape.strips *= out[axis];
  // Eight rows share a block when their number allows it; 16 bits are re-ordered so that they do.
  const bool shares = rows % 8 == 0 || width_ == 1;
  shape.blocks = shape.strips * ceil_div(rows, shares ? 64 : 8);
  shape.in_channels = in_channels;
  shape.out_channels = out.back();
  return shape;
}

void LayerBuilder::add_fully_connected() {
  add_weights();
  matrix(MatrixTask::kDense, row_shape(tensor(output()).shape, tensor(input()).shape.back()));
}

void LayerBuilder::add_matmul() {
  if (operation_.inputs.size() > 1) {
    const int second = operation_.inputs[1];
    vector(VectorTask::kPackOperand, layout_.padded_elements(second), tiles(second), false, true);
  }
  matrix(MatrixTask::kDense, row_shape(tensor(output()).shape, tensor(input()).shape.back()));
  vector(VectorTask::kUnpackProduct, layout_.padded_elements(output()), tiles(output()));
}

/// A fully connected step for each element of the sequence.
void LayerBuilder::add_recurrent() {
  add_weights();
  MatrixShape shape;
  const Shape& in = tensor(input()).shape;
  shape.strips = in.empty() ? 1 : in[0];
  shape.blocks = shape.strips;
  shape.in_channels = in.empty() ? 1 : in.back();
  const std::int64_t steps = std::max<std::int64_t>(1, shape.strips);
  shape.out_channels = std::max<std::int64_t>(
      1, operation_.macs / std::max<std::int64_t>(1, steps * shape.in_channels));
  matrix(MatrixTask::kDense, shape);
  vector(VectorTask::kFunction, layout_.padded_elements(output()) * 4.0,
         static_cast<int>(std::min<std::int64_t>(steps, 4096)));
}

}  // namespace hexquant::perf
