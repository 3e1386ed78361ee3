#include <algorithm>

#include "perf/stage_builder.h"

namespace hexquant::perf {
namespace {

constexpr std::int64_t kImageChannels = 4;    ///< inputs with at most so many are images
constexpr std::int64_t kTiledVtcm = 8 << 20;  ///< bytes
constexpr std::int64_t kShortRow = 8;         ///< elements

std::int64_t padded_transfer(std::int64_t bytes) {
  return ceil_div(bytes, kTransferUnit) * kTransferUnit;
}

}  // namespace

bool BorderBuilder::reads_border() const {
  return !operation_.inputs.empty() && tensor(operation_.inputs[0]).is_graph_input &&
         tensor(operation_.inputs[0]).is_float;
}
bool BorderBuilder::writes_border() const {
  return !operation_.outputs.empty() && tensor(output()).is_graph_output &&
         tensor(output()).is_float;
}
/// Quantization of a graph input or dequantization of an output.
bool BorderBuilder::is_border_conversion() const {
  return operation_.kind == WorkKind::kConversion && (reads_border() || writes_border());
}

/// What a share of VTCM stands for; beyond 8 MB the vendor's compiler tiles as with 8 MB.
double BorderBuilder::share_bytes(double share) const {
  return share * static_cast<double>(std::min(options_.vtcm_bytes, kTiledVtcm));
}

void BorderBuilder::add_inputs() {
  for (const int index : operation_.inputs) {
    const WorkTensor& t = tensor(index);
    if (!t.is_graph_input || t.readers.empty()) continue;
    if (&operation_at(t.readers.front()) != &operation_) continue;
    const bool converts = is_border_conversion() && options_.io_on_device;
    add_input(index, converts);
  }
}

void BorderBuilder::add_input(int index, bool converts) {
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
  if (image && parallel && converts && !t.channels_last)
    vector(VectorTask::kSliceInput, plain, count, true);
  if (converts) {
    vector(VectorTask::kQuantize, plain, count, true);
    if (shape.size() > 3 && shape.back() < kShortRow && shape.back() > 1) {
      vector(VectorTask::kShortRows, plain, count, true);
    }
  }
  if (t.channels_last) {
    // Fetched in the order in which the first operation reads it: its image is no work of its own.
  } else if (image) {
    vector(parallel ? VectorTask::kImageStrips : VectorTask::kImageLayout, blocks, count, true);
  } else {
    vector(VectorTask::kTile, blocks, count, true);
    if (layout_.is_map(index)) add_channels_last(blocks, block_bytes, layout_.strips(index));
  }
  width_ = saved;
}

/// NCHW <-> NHWC in blocks: one task unless the value is too large for it.
void BorderBuilder::add_channels_last(double blocks, double block_bytes, int strips) {
  const bool parallel = block_bytes > share_bytes(constants_.serial_channels_share);
  vector(VectorTask::kChannelsLast, blocks, parallel ? std::max(4, strips) : 1, true, !parallel);
}

void BorderBuilder::add_outputs() {
  for (const int index : operation_.outputs) {
    const WorkTensor& t = tensor(index);
    if (!t.is_graph_output) continue;
    add_output(index);
  }
}

void BorderBuilder::add_output(int index) {
  const WorkTensor& t = tensor(index);
  const bool border = is_border_conversion();
  const bool converts = border && options_.io_on_device;
  const int code_bits = border ? tensor(input()).bits : std::max(t.bits, 8);
  const std::int64_t elements = t.elements();
  const std::size_t saved = width_;
  width_ = code_bits > 8 ? 1 : 0;
  const double blocks = channel_first_elements(index);
  // Codes leave in blocks, with their padding; float values do not.
  const auto written = converts || t.channels_last ? elements : static_cast<std::int64_t>(blocks);
  work_.ddr_write_bytes += padded_transfer(written * (converts ? t.bits : code_bits) / 8);
  const double bytes = static_cast<double>(elements) * (converts ? 4.0 : 1.0);
  const int count =
      bytes > share_bytes(constants_.serial_output_share) ? std::max(4, tiles(index)) : 1;
  const bool is_map =
      layout_.is_map(index) && !t.channels_last && product(t.shape) > t.shape[0] * t.shape[1];
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
double BorderBuilder::channel_first_elements(int index) const {
  const Shape& shape = tensor(index).shape;
  if (!layout_.is_map(index) || shape.size() < 4) return layout_.padded_elements(index);
  return static_cast<double>(shape[0] * shape[1] * ceil_div(shape[2], 8) * 8 *
                             ceil_div(shape[3], kChannelBlock) * kChannelBlock);
}

/// The only reader of an image, behind its quantization, cuts it into patches.
bool BorderBuilder::feeds_patches(int index) const {
  const WorkTensor& t = tensor(index);
  if (t.readers.size() != 1) return false;
  const auto& reader = workload_.operations[static_cast<std::size_t>(t.readers.front())];
  if (reader.kind == WorkKind::kConversion) return feeds_patches(reader.outputs.front());
  return is_patch(reader);
}

}  // namespace hexquant::perf
