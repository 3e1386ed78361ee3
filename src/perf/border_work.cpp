#include <algorithm>
#include <cmath>

#include "perf/stage_builder.h"

namespace hexquant::perf {
namespace {

constexpr std::int64_t kImageChannels = 4;    ///< inputs with at most so many are images
constexpr std::int64_t kTiledVtcm = 8 << 20;  ///< bytes
constexpr std::int64_t kShortRow = 12;        ///< elements: shorter rows are quantized slowly,
constexpr std::int64_t kShortestRow = 7;      ///< with these the full price of kShortRows
constexpr std::int64_t kShortCopy = 16;       ///< elements: shorter rows of codes leave slowly
constexpr std::int64_t kSliceChannels = 8;    ///< of a map that several threads convert
constexpr std::int64_t kSliceRows = 32;

std::int64_t padded_transfer(std::int64_t bytes) {
  return ceil_div(bytes, kTransferUnit) * kTransferUnit;
}

double code_bytes(int bits) {
  return bits > 8 ? 2.0 : 1.0;
}

/// Elements of a map in blocks of 8 x 32 of its last two axes.
struct MapAxes {
  double channels_first = 0.0;  ///< [N, C, H, W]
  double rows_first = 0.0;      ///< [N, H, C, W]
};

MapAxes map_axes(const Shape& shape) {
  if (shape.size() < 3) return {};
  const std::int64_t height = shape.size() > 3 ? shape[2] : 1;
  const std::int64_t row = shape[0] * ceil_div(shape.back(), kChannelBlock) * kChannelBlock;
  return {static_cast<double>(shape[1] * ceil_div(height, 8) * 8 * row),
          static_cast<double>(height * ceil_div(shape[1], 8) * 8 * row)};
}

/// Rows that do not fill blocks of 8: with 16 bits they are re-ordered to leave, not cut out.
bool has_odd_rows(const Shape& shape) {
  return shape.size() > 1 && shape[shape.size() - 2] % 8 != 0 && shape[shape.size() - 2] > 8;
}

int channel_slices(const Shape& shape) {
  return static_cast<int>(ceil_div(shape[1], kSliceChannels));
}

/// Few slices of channels are cut into rows too.
int output_slices(const Shape& shape) {
  const int slices = channel_slices(shape);
  const std::int64_t height = shape.size() > 3 ? shape[2] : 1;
  return slices < 8 ? slices * static_cast<int>(ceil_div(height, kSliceRows)) : slices;
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
  if (feeds_patches(index)) {
    if (converts) vector(VectorTask::kQuantize, static_cast<double>(elements), 1, true);
  } else if (layout_.is_map(index) && t.shape[1] <= kImageChannels) {
    add_image(index, code_bits, converts);
  } else {
    add_input_map(index, code_bits, converts);
  }
  width_ = saved;
}

void BorderBuilder::add_image(int index, int code_bits, bool converts) {
  const WorkTensor& t = tensor(index);
  const auto plain = static_cast<double>(t.elements());
  const double blocks = layout_.padded_elements(index);
  const bool parallel =
      blocks * code_bytes(code_bits) >= share_bytes(constants_.serial_image_share);
  const int count = parallel ? std::max(4, layout_.strips(index)) : 1;
  if (parallel && converts && !t.channels_last) {
    vector(VectorTask::kSliceInput, plain, count, true);
  }
  if (converts) vector(VectorTask::kQuantize, plain, count, true);
  // Fetched in the order in which the first operation reads it: its image is no work of its own.
  if (t.channels_last) return;
  vector(parallel ? VectorTask::kImageStrips : VectorTask::kImageLayout, blocks, count, true);
}

/// A map of many channels or rows of features: float values become codes, plain rows become rows
/// of blocks, and of a map the channels change places with its rows and then with its columns. One
/// task for each step; larger values go by slices of 8 channels, then by strips of 8 rows.
void BorderBuilder::add_input_map(int index, int code_bits, bool converts) {
  const WorkTensor& t = tensor(index);
  const auto plain = static_cast<double>(t.elements());
  const bool is_map = layout_.is_map(index);
  const MapAxes axes = map_axes(t.shape);
  const bool is_large = is_map && axes.channels_first * code_bytes(code_bits) >
                                      share_bytes(constants_.serial_channels_share);
  const int slices = is_map ? channel_slices(t.shape) : std::max(4, layout_.strips(index));
  int count = is_large ? slices : 1;
  if (converts) {
    const double bytes = plain * (t.bits / 8.0 + code_bytes(code_bits));
    if (bytes > share_bytes(constants_.serial_map_share)) count = slices;
    vector(VectorTask::kQuantize, plain, count, true);
    add_short_rows(index, count);
  }
  work_.input_tiles = count;
  if (t.channels_last) return;
  vector(VectorTask::kTile, row_elements(index), count, true);
  if (!is_map) return;
  const int strips = is_large ? layout_.strips(index) : 1;
  vector(VectorTask::kSwapRows, axes.channels_first, strips, true, true);
  vector(VectorTask::kSwapColumns, axes.rows_first, strips, true);
}

/// Quantization of a map whose rows are no longer than a few elements.
void BorderBuilder::add_short_rows(int index, int count) {
  const WorkTensor& t = tensor(index);
  const std::int64_t row = t.shape.empty() ? 1 : t.shape.back();
  if (!layout_.is_map(index) || row <= 1 || row >= kShortRow) return;
  const double missing =
      static_cast<double>(kShortRow - row) / static_cast<double>(kShortRow - kShortestRow);
  vector(VectorTask::kShortRows, static_cast<double>(t.elements()) * missing * missing, count,
         true);
}

void BorderBuilder::add_outputs() {
  for (const int index : operation_.outputs) {
    const WorkTensor& t = tensor(index);
    if (!t.is_graph_output) continue;
    add_output(index);
  }
}

/// The steps of an input map backwards. Only float results, by slices of 8 channels, and what is
/// larger than a share of VTCM keep more than one thread busy.
void BorderBuilder::add_output(int index) {
  const WorkTensor& t = tensor(index);
  const bool border = is_border_conversion();
  const bool converts = border && options_.io_on_device;
  const int code_bits = border ? tensor(input()).bits : std::max(t.bits, 8);
  const std::int64_t elements = t.elements();
  const std::size_t saved = width_;
  width_ = code_bits > 8 ? 1 : 0;
  const bool map = layout_.is_map(index) && !t.channels_last;
  const MapAxes axes = map_axes(t.shape);
  const double blocks =
      map && t.shape.size() > 3 ? axes.channels_first : layout_.padded_elements(index);
  // Codes leave in blocks, with their padding; float values do not.
  const auto written = converts || t.channels_last ? elements : static_cast<std::int64_t>(blocks);
  const std::int64_t bytes = padded_transfer(written * (converts ? t.bits : code_bits) / 8);
  work_.ddr_write_bytes += bytes;
  int count = 1;
  if (map && elements > t.shape[0] * t.shape[1]) {
    const double slice = share_bytes(constants_.serial_output_share) / (width_ == 0 ? 1.0 : 4.0);
    count = static_cast<int>(std::ceil(axes.rows_first * code_bytes(code_bits) / slice));
    vector(VectorTask::kSwapColumns, axes.rows_first, count, true);
    vector(VectorTask::kSwapRows, axes.channels_first, count, true);
  }
  if (converts) {
    count = map ? output_slices(t.shape) : (leaves_whole() ? 1 : tiles(index));
    vector(VectorTask::kUntile, row_elements(index), count, true, true);
    vector(VectorTask::kDequantize, static_cast<double>(elements), count, true);
    work_.stages.push_back({Lane::kTransfer, static_cast<double>(bytes), count, true, false});
  } else if (!layout_.is_map(index) && width_ == 1 && has_odd_rows(t.shape)) {
    vector(VectorTask::kUntile, row_elements(index), tiles(index), true);
    work_.stages.push_back({Lane::kTransfer, static_cast<double>(bytes), 1, true, false});
  } else {
    vector(copy_task(index), row_elements(index), count, true);
    const std::int64_t row = t.shape.empty() ? 1 : t.shape.back();
    if (layout_.is_map(index) && row > 1 && row < kShortCopy) {
      const double missing = 1.0 - static_cast<double>(row) / static_cast<double>(kShortCopy);
      work_.stages.back().cycles +=
          price(VectorTask::kCopyShort) * static_cast<double>(elements / row) * missing;
    }
  }
  width_ = saved;
}

/// Behind a normalization of 16 bits whole blocks of 8 rows leave in one task.
bool BorderBuilder::leaves_whole() const {
  const WorkTensor& codes = tensor(input());
  if (width_ != 1 || codes.producer < 0 || codes.shape.size() < 2) return false;
  return operation_at(codes.producer).kind == WorkKind::kNormalization &&
         codes.shape[codes.shape.size() - 2] % 8 == 0;
}

/// How codes leave: rows of features, and maps with rows of up to 32 elements or more.
VectorTask BorderBuilder::copy_task(int index) const {
  if (!layout_.is_map(index)) return VectorTask::kCopyRows;
  return tensor(index).shape.back() > kChannelBlock ? VectorTask::kCopyWide : VectorTask::kCopyOut;
}

/// Elements while every row of the last axis fills blocks of 32 on its own.
double BorderBuilder::row_elements(int index) const {
  const Shape& shape = tensor(index).shape;
  if (shape.empty()) return kChannelBlock;
  const std::int64_t row = shape.back();
  return static_cast<double>(product(shape) / row * ceil_div(row, kChannelBlock) * kChannelBlock);
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
