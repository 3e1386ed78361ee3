#include "perf/operation_work.h"

#include <algorithm>
#include <cmath>

namespace hexquant::perf {
namespace {

constexpr std::int64_t kChannelBlock = 32;
constexpr std::int64_t kChannelsOfEvent = 256;  ///< output channels of one strip
constexpr std::int64_t kTransferUnit = 2048;    ///< bytes
constexpr std::int64_t kTiledVtcm = 8 << 20;    ///< bytes
constexpr std::int64_t kShortRow = 8;           ///< elements
constexpr std::int64_t kImageChannels = 4;      ///< inputs with at most so many are images

std::int64_t ceil_div(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit;
}

std::int64_t product(const Shape& shape) {
  std::int64_t result = 1;
  for (const std::int64_t dim : shape) result *= dim;
  return result;
}

std::size_t width_index(const Operation& operation) {
  if (operation.unit == target::Unit::kNpuFloat) return 2;
  return operation.act_bits > 8 ? 1 : 0;
}

/// A matrix product in the matrix unit's terms: pixels in blocks of 8 x 8, channels in blocks
/// of 32.
struct MatrixShape {
  std::int64_t blocks = 1;       ///< of pixels, all batches
  std::int64_t strips = 1;       ///< of 8 rows, all batches
  std::int64_t in_channels = 1;  ///< of a group
  std::int64_t out_channels = 1;
  std::int64_t window = 1;
  std::int64_t groups = 1;
};

/// Builds the stages of one workload, operation by operation.
class WorkBuilder {
 public:
  WorkBuilder(const Workload& workload, const Layout& layout, const LatencyConstants& constants,
              const WorkOptions& options)
      : workload_(workload), layout_(layout), constants_(constants), options_(options) {}

  OperationWork build(const Operation& operation) {
    work_ = {};
    operation_ = &operation;
    width_ = width_index(operation);
    add_input_boundaries();
    if (operation.unit == target::Unit::kCpu && operation.kind != WorkKind::kConversion) {
      add_cpu();
    } else if (!is_border_conversion()) {
      add_stages();
    }
    add_output_boundaries();
    return std::move(work_);
  }

 private:
  // ---- operands
  [[nodiscard]] const WorkTensor& tensor(int index) const {
    return workload_.tensors[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] int output() const { return operation_->outputs.front(); }
  /// First operand that is computed; the output when there is none.
  [[nodiscard]] int input() const {
    for (const int index : operation_->inputs) {
      if (!tensor(index).is_constant) return index;
    }
    return output();
  }
  [[nodiscard]] bool reads_border() const {
    return !operation_->inputs.empty() && tensor(operation_->inputs[0]).is_graph_input &&
           tensor(operation_->inputs[0]).is_float;
  }
  [[nodiscard]] bool writes_border() const {
    return !operation_->outputs.empty() && tensor(output()).is_graph_output &&
           tensor(output()).is_float;
  }
  /// Quantization of a graph input or dequantization of an output.
  [[nodiscard]] bool is_border_conversion() const {
    return operation_->kind == WorkKind::kConversion && (reads_border() || writes_border());
  }

  // ---- stages
  void vector(VectorTask task, double elements, int tiles, bool is_boundary = false,
              bool needs_all = false) {
    const VectorCost& cost = constants_.vector[static_cast<std::size_t>(task)];
    const double cycles = cost.per_tile * tiles + cost.per_element[width_] * elements;
    work_.stages.push_back({Lane::kVector, cycles, std::max(1, tiles), is_boundary, needs_all});
  }

  void matrix(MatrixTask task, const MatrixShape& shape) {
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
    const double cycles = cost.per_event * events + cost.per_product[width_] * pixels * per_output +
                          cost.per_store[width_] * pixels * out_blocks +
                          cost.per_weight * static_cast<double>(shape.strips) * per_output;
    work_.stages.push_back({Lane::kMatrix, cycles, static_cast<int>(shape.strips)});
  }

  /// Tiles of a vector task: strips, or slices of channels where there are fewer strips.
  [[nodiscard]] int tiles(int index) const {
    const int strips = layout_.strips(index);
    const Shape& shape = tensor(index).shape;
    if (shape.size() < 2) return strips;
    const std::int64_t channels = layout_.is_map(index) ? shape[1] : shape.back();
    const auto slices = static_cast<int>(ceil_div(channels, 2 * kChannelBlock));
    return std::max(strips, std::min(4, slices * strips));
  }

  // ---- borders of the graph
  /// What a share of VTCM stands for; beyond 8 MB the vendor's compiler tiles as with 8 MB.
  [[nodiscard]] double share_bytes(double share) const {
    return share * static_cast<double>(std::min(options_.vtcm_bytes, kTiledVtcm));
  }

  void add_input_boundaries() {
    for (const int index : operation_->inputs) {
      const WorkTensor& t = tensor(index);
      if (!t.is_graph_input || t.readers.empty()) continue;
      if (&workload_.operations[static_cast<std::size_t>(t.readers.front())] != operation_)
        continue;
      const bool converts = is_border_conversion() && options_.io_on_device;
      add_input_boundary(index, converts);
    }
  }

  void add_input_boundary(int index, bool converts) {
    const WorkTensor& t = tensor(index);
    const bool is_codes = is_border_conversion() && !converts;
    const int code_bits = is_border_conversion() ? tensor(output()).bits : t.bits;
    const std::int64_t elements = t.elements();
    const int stored_bits = is_codes ? code_bits : std::max(t.bits, 8);
    work_.ddr_read_bytes += padded_transfer(elements * stored_bits / 8);
    const std::size_t saved = width_;
    width_ = code_bits > 8 ? 1 : 0;
    const auto plain = static_cast<double>(elements);
    const Shape& shape = t.shape;
    if (feeds_patches(index)) {
      if (converts) vector(VectorTask::kQuantize, plain, 1, true);
      width_ = saved;
      return;
    }
    const bool image = layout_.is_map(index) && shape[1] <= kImageChannels;
    const double blocks = image ? layout_.padded_elements(index) : channel_first_elements(index);
    const double block_bytes = blocks * (code_bits > 8 ? 2.0 : 1.0);
    const bool parallel =
        image ? block_bytes >= share_bytes(constants_.serial_image_share)
              : block_bytes + plain * stored_bits / 8.0 > share_bytes(constants_.serial_map_share);
    const int count = parallel ? std::max(4, layout_.strips(index)) : 1;
    if (image && parallel) vector(VectorTask::kSliceInput, plain, count, true);
    if (converts) {
      vector(VectorTask::kQuantize, plain, count, true);
      if (shape.size() > 3 && shape.back() < kShortRow && shape.back() > 1) {
        vector(VectorTask::kShortRows, plain, count, true);
      }
    }
    if (image) {
      vector(parallel ? VectorTask::kImageStrips : VectorTask::kImageLayout, blocks, count, true);
    } else {
      vector(VectorTask::kTile, blocks, count, true);
      if (layout_.is_map(index)) add_channels_last(blocks, block_bytes, layout_.strips(index));
    }
    width_ = saved;
  }

  /// NCHW <-> NHWC in blocks: one task unless the value is too large for it.
  void add_channels_last(double blocks, double block_bytes, int strips) {
    const bool parallel = block_bytes > share_bytes(constants_.serial_channels_share);
    vector(VectorTask::kChannelsLast, blocks, parallel ? std::max(4, strips) : 1, true, !parallel);
  }

  void add_output_boundaries() {
    for (const int index : operation_->outputs) {
      const WorkTensor& t = tensor(index);
      if (!t.is_graph_output) continue;
      add_output_boundary(index);
    }
  }

  void add_output_boundary(int index) {
    const WorkTensor& t = tensor(index);
    const bool border = is_border_conversion();
    const bool converts = border && options_.io_on_device;
    const int code_bits = border ? tensor(input()).bits : std::max(t.bits, 8);
    const std::int64_t elements = t.elements();
    work_.ddr_write_bytes += padded_transfer(elements * (converts ? t.bits : code_bits) / 8);
    const std::size_t saved = width_;
    width_ = code_bits > 8 ? 1 : 0;
    const double blocks = channel_first_elements(index);
    const double bytes = static_cast<double>(elements) * (converts ? 4.0 : 1.0);
    const int count =
        bytes > share_bytes(constants_.serial_output_share) ? std::max(4, tiles(index)) : 1;
    const bool is_map = layout_.is_map(index) && product(t.shape) > t.shape[0] * t.shape[1];
    if (is_map) add_channels_last(blocks, blocks * (code_bits > 8 ? 2.0 : 1.0), count);
    if (converts) {
      vector(VectorTask::kUntile, blocks, count, true);
      vector(VectorTask::kDequantize, static_cast<double>(elements), count, true);
    } else {
      vector(VectorTask::kCopyOut, blocks, count, true);
    }
    width_ = saved;
  }

  /// Elements of a value in blocks while its channels are still an outer axis.
  [[nodiscard]] double channel_first_elements(int index) const {
    const Shape& shape = tensor(index).shape;
    if (!layout_.is_map(index) || shape.size() < 4) return layout_.padded_elements(index);
    return static_cast<double>(shape[0] * shape[1] * ceil_div(shape[2], 8) * 8 *
                               ceil_div(shape[3], kChannelBlock) * kChannelBlock);
  }

  /// Windows that do not overlap: the first layer of a vision transformer.
  static bool is_patch(const Operation& operation) {
    return operation.kind == WorkKind::kConvolution && operation.kernel == operation.strides &&
           product(operation.strides) >= 16;
  }

  /// The only reader of an image, behind its quantization, cuts it into patches.
  [[nodiscard]] bool feeds_patches(int index) const {
    const WorkTensor& t = tensor(index);
    if (t.readers.size() != 1) return false;
    const auto& reader = workload_.operations[static_cast<std::size_t>(t.readers.front())];
    if (reader.kind == WorkKind::kConversion) return feeds_patches(reader.outputs.front());
    return is_patch(reader);
  }

  static std::int64_t padded_transfer(std::int64_t bytes) {
    return ceil_div(bytes, kTransferUnit) * kTransferUnit;
  }

  // ---- operations
  void add_cpu() {
    const double elements = static_cast<double>(tensor(output()).elements());
    const double us = constants_.cpu_transfer_us + elements / constants_.cpu_elements_per_us;
    work_.stages.push_back({Lane::kCpu, us, 1, false, true});
  }

  void add_stages() {
    const double written = layout_.padded_elements(output());
    const int count = tiles(output());
    switch (operation_->kind) {
      case WorkKind::kConvolution:
        return add_convolution();
      case WorkKind::kDepthwise:
        return add_depthwise();
      case WorkKind::kTransposedConvolution:
        return add_transposed_convolution();
      case WorkKind::kFullyConnected:
        return add_fully_connected();
      case WorkKind::kMatMul:
        return add_matmul();
      case WorkKind::kRecurrent:
        return add_recurrent();
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
      case WorkKind::kOther:
        return vector(VectorTask::kOther, written, count);
    }
  }

  void add_softmax(double written, int count) {
    const WorkTensor& out = tensor(output());
    const std::int64_t row = out.shape.empty() ? 1 : std::max<std::int64_t>(1, out.shape.back());
    const auto rows = static_cast<double>(out.elements() / row);
    const VectorCost& cost = constants_.vector[static_cast<std::size_t>(VectorTask::kSoftmaxRows)];
    vector(VectorTask::kSoftmax, written, count);
    work_.stages.back().cycles += cost.per_element[width_] * rows;
  }

  void add_mover(double written) {
    if (operation_->op != "Concat") return vector(VectorTask::kMove, written, 1);
    if (!joins_blocks()) vector(VectorTask::kConcat, written, layout_.strips(output()));
  }

  /// A Concat of whole blocks of channels, or along an outer axis, is where its operands are
  /// written to: nothing is copied.
  [[nodiscard]] bool joins_blocks() const {
    const Shape& out = tensor(output()).shape;
    const std::size_t channels = layout_.is_map(output()) ? 1 : out.size() - 1;
    for (const int index : operation_->inputs) {
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

  void add_reshape() {
    const Shape& in = tensor(input()).shape;
    const bool spread = in.size() > 2 && in.back() * in[in.size() - 2] > 1;
    const bool changes_layout = layout_.is_map(input()) != layout_.is_map(output()) && spread;
    vector(changes_layout ? VectorTask::kReshape : VectorTask::kReshapeRows,
           layout_.padded_elements(input()), 1, false, true);
  }

  [[nodiscard]] bool has_scalar() const {
    return std::any_of(operation_->inputs.begin(), operation_->inputs.end(), [&](int index) {
      return tensor(index).is_constant && tensor(index).elements() == 1;
    });
  }

  void add_elementwise(double written, int count) {
    if (has_scalar()) {
      // A table for 8 bits; for 16 bits the scale of the next encoding takes it in.
      if (width_ == 0) vector(VectorTask::kFunction, written, count);
      return;
    }
    if (operation_->op != "Mul") return vector(VectorTask::kAdd, written, count);
    for (const int index : operation_->inputs) {
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
  void add_activation() {
    if (joins_producer()) return;
    vector(VectorTask::kFunction, layout_.padded_elements(output()), tiles(output()));
  }

  /// Its result multiplies its own operand, and nothing else reads it.
  [[nodiscard]] bool is_gate(const Operation& sigmoid) const {
    const WorkTensor& result = tensor(sigmoid.outputs.front());
    if (result.readers.size() != 1 || sigmoid.inputs.empty()) return false;
    const auto& next = workload_.operations[static_cast<std::size_t>(result.readers.front())];
    return next.op == "Mul" && std::find(next.inputs.begin(), next.inputs.end(),
                                         sigmoid.inputs.front()) != next.inputs.end();
  }

  /// HardSwish and LeakyRelu of 8 bits behind a convolution, Sigmoid in front of x * sigmoid(x).
  [[nodiscard]] bool joins_producer() const {
    const WorkTensor& in = tensor(input());
    if (operation_->op == "Sigmoid" && is_gate(*operation_)) return true;
    if (in.producer < 0 || in.readers.size() != 1) return false;
    const Operation& producer = workload_.operations[static_cast<std::size_t>(in.producer)];
    return producer.kind == WorkKind::kConvolution &&
           (operation_->op == "HardSwish" || operation_->op == "LeakyRelu" ||
            operation_->op == "PRelu");
  }

  void add_weights() {
    work_.weight_bytes =
        static_cast<std::int64_t>(static_cast<double>(stored_weight_bytes(workload_, *operation_)) *
                                  options_.weight_compression);
    work_.ddr_read_bytes += work_.weight_bytes;
    const Shape& out = tensor(output()).shape;
    const std::int64_t channels =
        layout_.is_map(output()) && out.size() > 1 ? out[1] : (out.empty() ? 1 : out.back());
    work_.transfers = 2 * static_cast<int>(ceil_div(channels, kChannelsOfEvent));
  }

  [[nodiscard]] MatrixShape map_shape() const {
    const Shape& out = tensor(output()).shape;
    MatrixShape shape;
    const std::int64_t height = out.size() > 3 ? out[2] : 1;
    const std::int64_t wide = out.back();
    shape.strips = out[0] * ceil_div(height, 8);
    shape.blocks = shape.strips * ceil_div(wide, 8);
    shape.out_channels = out[1];
    shape.groups = operation_->groups;
    shape.in_channels = tensor(input()).shape[1] / std::max<std::int64_t>(1, operation_->groups);
    shape.window = std::max<std::int64_t>(1, product(operation_->kernel));
    return shape;
  }

  [[nodiscard]] std::int64_t stride() const {
    return operation_->strides.empty() ? 1 : product(operation_->strides);
  }

  /// Zeros where blocks reach beyond the map, for windows larger than one element.
  void add_border() {
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

  void add_convolution() {
    add_weights();
    const MatrixShape shape = map_shape();
    if (shape.window > 1) work_.halo_tiles = 1;
    const bool dilated = std::any_of(operation_->dilations.begin(), operation_->dilations.end(),
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
  void add_strided(MatrixShape shape) {
    const auto read = static_cast<double>(tensor(input()).elements());
    const bool is_image = shape.in_channels <= kImageChannels;
    if (is_patch(*operation_)) {
      vector(VectorTask::kPatches, read, tiles(input()));
    } else {
      vector(is_image ? VectorTask::kImageToDepth : VectorTask::kSpaceToDepth,
             layout_.padded_elements(input()), tiles(input()));
    }
    shape.in_channels *= stride();
    shape.window = 1;
    for (std::size_t axis = 0; axis < operation_->kernel.size(); ++axis) {
      const std::int64_t step = axis < operation_->strides.size() ? operation_->strides[axis] : 1;
      shape.window *= ceil_div(operation_->kernel[axis], step);
    }
    matrix(MatrixTask::kStrided, shape);
  }

  void add_depthwise() {
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

  void add_transposed_convolution() {
    add_weights();
    // Computed as a convolution with stride^2 times the output channels, spread afterwards.
    const Shape& in = tensor(input()).shape;
    MatrixShape shape;
    shape.strips = in[0] * ceil_div(in.size() > 3 ? in[2] : 1, 8);
    shape.blocks = shape.strips * ceil_div(in.back(), 8);
    shape.in_channels = in[1];
    shape.out_channels = tensor(output()).shape[1] * stride();
    shape.window = ceil_div(std::max<std::int64_t>(1, product(operation_->kernel)), stride());
    matrix(MatrixTask::kDense, shape);
    vector(VectorTask::kDepthToSpace, layout_.padded_elements(output()), tiles(output()));
  }

  /// Rows of a product of matrices: all leading axes.
  [[nodiscard]] MatrixShape row_shape(const Shape& out, std::int64_t in_channels) const {
    MatrixShape shape;
    const std::int64_t rows = out.size() > 1 ? out[out.size() - 2] : 1;
    for (std::size_t axis = 0; axis + 2 < out.size(); ++axis) shape.strips *= out[axis];
    // Eight rows share a block when their number allows it.
    shape.blocks = shape.strips * ceil_div(rows, rows % 8 == 0 ? 64 : 8);
    shape.in_channels = in_channels;
    shape.out_channels = out.back();
    return shape;
  }

  void add_fully_connected() {
    add_weights();
    matrix(MatrixTask::kDense, row_shape(tensor(output()).shape, tensor(input()).shape.back()));
  }

  void add_matmul() {
    if (operation_->inputs.size() > 1) {
      const int second = operation_->inputs[1];
      vector(VectorTask::kPackOperand, layout_.padded_elements(second), tiles(second), false, true);
    }
    matrix(MatrixTask::kDense, row_shape(tensor(output()).shape, tensor(input()).shape.back()));
    vector(VectorTask::kUnpackProduct, layout_.padded_elements(output()), tiles(output()));
  }

  /// A fully connected step for each element of the sequence.
  void add_recurrent() {
    add_weights();
    MatrixShape shape;
    const Shape& in = tensor(input()).shape;
    shape.strips = in.empty() ? 1 : in[0];
    shape.blocks = shape.strips;
    shape.in_channels = in.empty() ? 1 : in.back();
    const std::int64_t steps = std::max<std::int64_t>(1, shape.strips);
    shape.out_channels = std::max<std::int64_t>(
        1, operation_->macs / std::max<std::int64_t>(1, steps * shape.in_channels));
    matrix(MatrixTask::kDense, shape);
    vector(VectorTask::kFunction, layout_.padded_elements(output()) * 4.0,
           static_cast<int>(std::min<std::int64_t>(steps, 4096)));
  }

  void add_pool() {
    work_.halo_tiles = 1;
    const auto window = static_cast<double>(std::max<std::int64_t>(1, product(operation_->kernel)));
    vector(VectorTask::kPool, layout_.padded_elements(output()) * window, tiles(output()));
  }

  const Workload& workload_;
  const Layout& layout_;
  const LatencyConstants& constants_;
  const WorkOptions& options_;
  OperationWork work_;
  const Operation* operation_ = nullptr;
  std::size_t width_ = 0;
};

}  // namespace

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
  WorkBuilder builder(workload, layout, constants, options);
  std::vector<OperationWork> work;
  work.reserve(workload.operations.size());
  for (const Operation& operation : workload.operations) work.push_back(builder.build(operation));
  return work;
}

}  // namespace hexquant::perf
