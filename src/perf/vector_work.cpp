#include <algorithm>

#include "perf/stage_builder.h"

namespace hexquant::perf {
namespace {

constexpr std::int64_t kShortSoftmax = 300;  ///< elements: shorter rows cost kSoftmaxShort
constexpr std::int64_t kFlatTile = 8192;     ///< elements

}  // namespace

void VectorBuilder::add() {
  add_constants();
  const double written = layout_.padded_elements(output());
  const int count = tiles(output());
  switch (operation_.kind) {
    case WorkKind::kPool:
      return add_pool();
    case WorkKind::kReduce:
      return add_reduce();
    case WorkKind::kElementwise:
      return add_elementwise(written, count);
    case WorkKind::kActivation:
      return add_activation();
    case WorkKind::kDivision:
      return vector(VectorTask::kDivide, written, count);
    case WorkKind::kSoftmax:
      return add_softmax(written);
    case WorkKind::kNormalization:
      return add_normalization(written);
    case WorkKind::kResize:
      return vector(VectorTask::kResize, written, count);
    case WorkKind::kMover:
      return add_mover(written);
    case WorkKind::kConversion:
      return add_conversion(written, count);
    case WorkKind::kReshape:
      return add_reshape();
    case WorkKind::kFree:
      return;
    default:
      return vector(VectorTask::kOther, written, count);
  }
}

/// At the price of the width that it reads: to widen costs more than to narrow.
void VectorBuilder::add_conversion(double written, int count) {
  if (operation_.unit != target::Unit::kNpuFloat) width_ = tensor(input()).bits > 8 ? 1 : 0;
  if (joins_layers()) return vector(VectorTask::kConvertRows, written, 1, false, true);
  vector(VectorTask::kConvert, written, count);
}

/// Stands between two fully connected layers: with a change of layout, by one thread.
bool VectorBuilder::joins_layers() const {
  const auto is_layer = [&](int index) {
    return operation_at(index).kind == WorkKind::kFullyConnected;
  };
  const int producer = tensor(input()).producer;
  const std::vector<int>& readers = tensor(output()).readers;
  return producer >= 0 && is_layer(producer) && !readers.empty() &&
         std::all_of(readers.begin(), readers.end(), is_layer);
}

/// Tiles of 64 rows, 32 with 16 bits. Every row has a start of its own; short rows are slow on some
/// chips.
void VectorBuilder::add_softmax(double written) {
  const WorkTensor& out = tensor(output());
  const std::int64_t row = out.shape.empty() ? 1 : std::max<std::int64_t>(1, out.shape.back());
  const int strips = layout_.strips(output());
  const int count = width_ == 0 && !layout_.is_map(output()) ? (strips + 1) / 2 : strips;
  const auto rows = static_cast<double>(out.elements() / row);
  const double missing =
      std::max(0.0, 1.0 - static_cast<double>(row) / static_cast<double>(kShortSoftmax));
  vector(VectorTask::kSoftmax, written, count);
  work_.stages.back().cycles +=
      price(VectorTask::kSoftmaxRows) * rows + price(VectorTask::kSoftmaxShort) * rows * missing;
}

/// Moments of all rows, then their use. With 8 bits one thread finds the moments when the rows fill
/// blocks of 8, and the others work on slices of the features; else everything goes by strips of 32
/// rows.
void VectorBuilder::add_normalization(double written) {
  const Shape& shape = tensor(output()).shape;
  const int strips = layout_.strips(output());
  const std::int64_t rows = shape.size() > 1 ? shape[shape.size() - 2] : 1;
  const std::int64_t features = shape.empty() ? 1 : shape.back();
  const bool by_features = width_ == 0 && rows % 8 == 0 && !layout_.is_map(output());
  if (by_features) {
    const auto threads = static_cast<std::int64_t>(constants_.vector_threads);
    const auto slices =
        static_cast<int>(std::clamp<std::int64_t>(ceil_div(features, kChannelBlock), 1, threads));
    vector(VectorTask::kMoments, written, 1, false, true);
    return vector(VectorTask::kNormalize, written, slices, false, true);
  }
  vector(VectorTask::kMoments, written, strips);
  vector(VectorTask::kNormalize, written,
         strips * static_cast<int>(ceil_div(features, kChannelsOfEvent)));
}

/// Tables of Gather, operands of Add and Mul: fetched whole before the operation starts.
void VectorBuilder::add_constants() {
  for (const int index : operation_.inputs) {
    const WorkTensor& t = tensor(index);
    if (!t.is_constant || t.elements() <= 1 || is_read_in_place(t)) continue;
    // What an earlier operation fetched stays in VTCM.
    if (!t.readers.empty() && &operation_at(t.readers.front()) != &operation_) continue;
    work_.ddr_read_bytes += ceil_div(t.bytes(), kTransferUnit) * kTransferUnit;
  }
}

/// Rows of 8-bit codes are read from the table where it lies in DDR; wider ones are not.
bool VectorBuilder::is_read_in_place(const WorkTensor& constant) const {
  return operation_.op == "Gather" && constant.bits == 8;
}

/// Rows of a map that are reduced alone stay spread over its blocks: one thread gathers them.
void VectorBuilder::add_reduce() {
  const WorkTensor& in = tensor(input());
  const bool map = layout_.is_map(input()) && in.shape.size() == 4;
  const std::int64_t pixels = map ? in.shape[2] * in.shape[3] : 1;
  const bool one_axis = map && in.shape[2] > 1 && in.shape[3] > 1 &&
                        in.elements() < tensor(output()).elements() * pixels;
  const double read = layout_.padded_elements(input());
  if (one_axis) return vector(VectorTask::kMeanAxis, read, 1, false, true);
  vector(VectorTask::kMean, read, std::max(1, std::min(4, tiles(input()))), false, true);
}

/// Groups of channels exchanged while each pixel stays where it is: ShuffleNet.
bool VectorBuilder::permutes_channels() const {
  const Shape& in = tensor(input()).shape;
  const Shape& out = tensor(output()).shape;
  return operation_.op == "Transpose" && in.size() > 4 && in.size() == out.size() &&
         std::equal(in.end() - 2, in.end(), out.end() - 2);
}

/// Channels that leave their place in a block: one task with a large start. Zeros on both sides of
/// the same number are assumed, as in the shortcuts of ResNet.
void VectorBuilder::add_pad(double written) {
  const Shape& in = tensor(input()).shape;
  const Shape& out = tensor(output()).shape;
  const bool channels = layout_.is_map(output()) && in.size() == out.size() && out[1] > in[1];
  if (!channels) return vector(VectorTask::kMove, written, 1);
  if ((out[1] - in[1]) % (2 * kChannelBlock) == 0) return;
  vector(VectorTask::kPadChannels, written, 1);
}

/// Heads of an attention, [N, rows, heads, features], are moved one by one, each by a thread, when
/// the rows fill blocks of 8.
int VectorBuilder::head_tiles(const Shape& split) const {
  if (split.size() != 4 || layout_.is_map(output()) || layout_.is_map(input())) return 1;
  return split[1] % 8 == 0 && split[2] <= split[1]
             ? static_cast<int>(std::max<std::int64_t>(1, split[2]))
             : 1;
}

/// Heads of one block of channels in 8 bits, [N, rows, heads, 32]: they are read where they lie.
bool VectorBuilder::heads_stay(const Shape& split) const {
  if (width_ != 0 || split.size() != 4 || layout_.is_map(output())) return false;
  return split[1] % 64 == 0 && split[3] == kChannelBlock;
}

/// The same for a Transpose to [N, heads, ...]; the way back is a copy of all by one thread.
int VectorBuilder::moved_heads() const {
  const Shape& in = tensor(input()).shape;
  const Shape& out = tensor(output()).shape;
  return in.size() == 4 && out.size() == 4 && in[2] == out[1] ? head_tiles(in) : 1;
}

void VectorBuilder::add_mover(double written) {
  const WorkTensor& out = tensor(output());
  if (operation_.op == "Pad") return add_pad(written);
  if (operation_.op == "Expand" && !out.shape.empty()) {
    const auto rows =
        static_cast<double>(out.elements() / std::max<std::int64_t>(1, out.shape.back()));
    return vector(VectorTask::kExpandRows, rows, layout_.strips(output()));
  }
  if (permutes_channels()) {
    const auto axes = out.shape.end();
    return vector(VectorTask::kShuffle, static_cast<double>(out.shape[0] * axes[-1] * axes[-2]),
                  static_cast<int>(ceil_div(axes[-2], 8)));
  }
  if (operation_.op == "Transpose") {
    if (heads_stay(tensor(input()).shape) || heads_stay(out.shape)) return;
    return vector(VectorTask::kMove, written, moved_heads());
  }
  if (operation_.op == "Gather") return vector(VectorTask::kGather, written, 1);
  if (operation_.op != "Concat") return vector(VectorTask::kMove, written, 1);
  if (!joins_blocks()) add_concat(written);
}

/// Maps are copied by strips, everything else by one thread. Operands that another operation cut
/// out of a block go element by element.
void VectorBuilder::add_concat(double written) {
  const bool map = layout_.is_map(output());
  vector(VectorTask::kConcat, written, map ? layout_.strips(output()) : 1);
  if (!map) return;
  double parts = 0.0;
  for (const int index : operation_.inputs) {
    const WorkTensor& t = tensor(index);
    if (t.producer < 0 || t.shape[1] % kChannelBlock == 0) continue;
    const std::string& op = operation_at(t.producer).op;
    if (op == "Split" || op == "Slice") parts += static_cast<double>(t.elements());
  }
  if (parts > 0.0) vector(VectorTask::kJoinParts, parts, 1);
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
  const Shape& out = tensor(output()).shape;
  // Values of five and more axes lie flat; a map whose channels alone are grouped stays a map.
  if (in.size() > 4 || out.size() > 4) return;
  const bool same_layout = layout_.is_map(input()) == layout_.is_map(output());
  if (same_layout && (heads_stay(in) || heads_stay(out))) return;
  if (same_layout && (operation_.op == "Squeeze" || operation_.op == "Unsqueeze")) return;
  const bool spread = in.size() > 2 && in.back() * in[in.size() - 2] > 1;
  const bool changes_layout = layout_.is_map(input()) != layout_.is_map(output()) && spread;
  const int heads = in.size() > out.size() ? head_tiles(in) : head_tiles(out);
  vector(changes_layout ? VectorTask::kReshape : VectorTask::kReshapeRows,
         layout_.padded_elements(input()), changes_layout ? 1 : heads, false, true);
}

/// Adds the same computed row to many: the mask of an attention.
bool VectorBuilder::shares_rows() const {
  if (layout_.is_map(output())) return false;
  return std::any_of(operation_.inputs.begin(), operation_.inputs.end(), [&](int index) {
    const WorkTensor& t = tensor(index);
    return !t.is_constant && t.elements() < tensor(output()).elements();
  });
}

/// Its scale can go into the table of the Softmax that alone reads it.
bool VectorBuilder::feeds_softmax() const {
  const std::vector<int>& readers = tensor(output()).readers;
  return readers.size() == 1 && operation_at(readers.front()).kind == WorkKind::kSoftmax;
}

bool VectorBuilder::has_scalar() const {
  return std::any_of(operation_.inputs.begin(), operation_.inputs.end(), [&](int index) {
    return tensor(index).is_constant && tensor(index).elements() == 1;
  });
}

void VectorBuilder::add_elementwise(double written, int count) {
  if (joins_producer()) return;
  if (has_scalar()) {
    if (width_ == 0 || !feeds_softmax()) vector(VectorTask::kFunction, written, count);
    return;
  }
  if (operation_.op != "Mul") {
    return vector(shares_rows() ? VectorTask::kAddRows : VectorTask::kAdd, written, count);
  }
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
  if (lies_flat()) {
    const std::int64_t all = tensor(output()).elements();
    vector(VectorTask::kFlatFunction, static_cast<double>(all),
           static_cast<int>(ceil_div(all, kFlatTile)));
    return vector(VectorTask::kFlatJoin, static_cast<double>(all), 1, false, true);
  }
  const double elements = is_plain_output() ? static_cast<double>(tensor(output()).elements())
                                            : layout_.padded_elements(output());
  vector(VectorTask::kFunction, elements, tiles(output()));
}

/// GELU of 16 bits between layers that read no normalized values: nothing there asks for blocks, so
/// the vendor's compiler leaves whole blocks of 8 rows flat and cuts them into tiles of 8192
/// elements, which one thread joins again.
bool VectorBuilder::lies_flat() const {
  const Shape& shape = tensor(output()).shape;
  if (operation_.op != "Gelu" || width_ != 1 || layout_.is_map(output())) return false;
  if (shape.size() < 2 || shape[shape.size() - 2] % 8 != 0) return false;
  const int layer = tensor(input()).producer;
  if (layer < 0 || operation_at(layer).kind != WorkKind::kFullyConnected) return false;
  const int before = tensor(operation_at(layer).inputs.front()).producer;
  return before < 0 || operation_at(before).kind == WorkKind::kConversion ||
         operation_at(before).kind == WorkKind::kFullyConnected;
}

/// Few channels that leave the NPU: they are unpacked from their blocks first.
bool VectorBuilder::is_plain_output() const {
  const WorkTensor& out = tensor(output());
  if (!layout_.is_map(output()) || out.shape[1] >= 8) return false;
  return out.is_graph_output ||
         std::all_of(out.readers.begin(), out.readers.end(), [&](int reader) {
           const Operation& next = operation_at(reader);
           return next.kind == WorkKind::kConversion &&
                  tensor(next.outputs.front()).is_graph_output;
         });
}

/// Its result multiplies its own operand, and nothing else reads it.
bool VectorBuilder::is_gate(const Operation& sigmoid) const {
  const WorkTensor& result = tensor(sigmoid.outputs.front());
  if (result.readers.size() != 1 || sigmoid.inputs.empty()) return false;
  const auto& next = workload_.operations[static_cast<std::size_t>(result.readers.front())];
  return next.op == "Mul" && std::find(next.inputs.begin(), next.inputs.end(),
                                       sigmoid.inputs.front()) != next.inputs.end();
}

/// HardSwish and LeakyRelu behind a convolution, Sigmoid in front of x * sigmoid(x).
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
