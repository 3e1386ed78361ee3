#include "formats/encodings/encoding_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"
#include "quant/fake_quant.h"

namespace hexquant::formats {
namespace {

[[noreturn]] void refuse(const EncodingEntry& entry, const std::string& reason) {
  throw Error(ErrorCode::kInvalidData, format("encoding of '{}': {}", entry.name, reason));
}

bool all_equal(const std::vector<double>& values, double value) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == value; });
}

std::vector<std::int32_t> zero_points(const EncodingEntry& entry, bool is_signed) {
  const double low = is_signed ? -std::ldexp(1.0, entry.bits - 1) : 0.0;
  std::vector<std::int32_t> result;
  for (const double offset : entry.offset) {
    const double zero_point = low - offset;
    if (zero_point != std::floor(zero_point)) {
      refuse(entry, format("offset {}: expected a whole number", offset));
    }
    if (std::abs(zero_point) > std::numeric_limits<std::int32_t>::max()) {
      refuse(entry, format("offset {} is beyond 32 bits", offset));
    }
    result.push_back(static_cast<std::int32_t>(zero_point));
  }
  return result;
}

int axis_of(const EncodingEntry& entry, const Shape& shape) {
  const int axis = entry.axis.value_or(0);
  return axis < 0 ? axis + static_cast<int>(shape.size()) : axis;
}

/// For each scale of the ONNX shape the place of its number in the file's blocks.
std::vector<std::size_t> spread(const EncodingEntry& entry, const Shape& blocks, int axis,
                                const Shape& shape) {
  Shape wanted = shape;
  const auto along = static_cast<std::size_t>(axis);
  if (along < wanted.size()) {
    wanted[along] = (wanted[along] + entry.block_size - 1) / entry.block_size;
  }
  bool fits =
      along < wanted.size() && blocks.size() == wanted.size() && blocks[along] == wanted[along];
  for (std::size_t i = 0; fits && i < wanted.size(); ++i) {
    fits = blocks[i] == wanted[i] || blocks[i] == 1;
  }
  if (!fits) {
    refuse(entry, format("blocks of shape {} and size {} on axis {} do not fit the tensor {}",
                         shape_text(blocks), entry.block_size, axis, shape_text(shape)));
  }
  std::vector<std::size_t> places(static_cast<std::size_t>(element_count(wanted)));
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::size_t rest = i;
    std::size_t stride = 1;
    for (std::size_t d = wanted.size(); d-- > 0;) {
      const auto length = static_cast<std::size_t>(wanted[d]);
      if (blocks[d] != 1) places[i] += rest % length * stride;
      rest /= length;
      stride *= static_cast<std::size_t>(blocks[d]);
    }
  }
  return places;
}

void add_blocks(const EncodingEntry& entry, const Shape& shape, Encoding& encoding) {
  encoding.granularity = Granularity::kGroup;
  encoding.axis = axis_of(entry, shape);
  encoding.block_size = entry.block_size;
  const auto places = spread(entry, entry.block_shape, encoding.axis, shape);
  const std::vector<std::int32_t> zero = zero_points(entry, encoding.symmetric);
  for (const std::size_t place : places) {
    encoding.scale.push_back(static_cast<float>(entry.scale[place]));
    encoding.zero_point.push_back(zero[place]);
  }
}

void add_two_levels(const EncodingEntry& entry, const Shape& shape, Encoding& encoding) {
  encoding.granularity = Granularity::kGroup;
  encoding.axis = axis_of(entry, shape);
  encoding.block_size = entry.block_size;
  const auto axis = static_cast<std::size_t>(encoding.axis);
  const auto block_places = spread(entry, entry.block_shape, encoding.axis, shape);
  // A channel has one scale: a block of the whole axis.
  EncodingEntry whole = entry;
  Shape channels = entry.block_shape;
  channels.at(axis) = 1;
  whole.block_size = std::max<std::int64_t>(1, shape.at(axis));
  const auto channel_places = spread(whole, channels, encoding.axis, shape);
  for (const std::size_t place : channel_places) {
    encoding.channel_scale.push_back(static_cast<float>(entry.scale[place]));
  }
  Shape per_channel = shape;
  per_channel[axis] = 1;
  std::int64_t inner = 1;
  for (std::size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  const std::int64_t blocks = entry.block_shape[axis];
  for (std::size_t i = 0; i < block_places.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t channel = at / (blocks * inner) * inner + at % inner;
    const std::int64_t integer = entry.block_int_scale[block_places[i]];
    if (integer > std::numeric_limits<std::uint16_t>::max()) {
      refuse(entry, format("block integer {}: expected at most 65535", integer));
    }
    encoding.block_int_scale.push_back(static_cast<std::uint16_t>(integer));
    encoding.scale.push_back(static_cast<float>(integer) *
                             encoding.channel_scale[static_cast<std::size_t>(channel)]);
    encoding.zero_point.push_back(0);
  }
}

/// Shortest decimal text that reads back as the same float.
double printable(float value) {
  return std::stod(Json(value).dump());
}

void add_two_levels(const Encoding& encoding, EncodingEntry& entry) {
  entry.kind = ScaleKind::kLpbq;
  entry.grid_bits = 2 * entry.bits;
  entry.block_int_scale.assign(encoding.block_int_scale.begin(), encoding.block_int_scale.end());
  for (const float scale : encoding.channel_scale) entry.scale.push_back(printable(scale));
  entry.offset.assign(entry.scale.size(), -std::ldexp(1.0, entry.grid_bits - 1));
}

EncodingEntry entry_of(const std::string& name, const Encoding& encoding, const Shape& shape) {
  EncodingEntry entry;
  entry.name = name;
  entry.bits = encoding.bits();
  entry.symmetric = encoding.symmetric;
  Encoding full = encoding;
  full.strict = false;
  entry.is_signed = full.q_min() < 0;
  if (encoding.granularity == Granularity::kGroup) {
    entry.block_size = encoding.block_size;
    entry.block_shape = quant::scale_shape(shape, encoding);
  }
  if (encoding.granularity != Granularity::kTensor) entry.axis = encoding.axis;
  if (encoding.has_two_level_scales()) {
    add_two_levels(encoding, entry);
    return entry;
  }
  entry.kind = encoding.granularity == Granularity::kTensor    ? ScaleKind::kTensor
               : encoding.granularity == Granularity::kChannel ? ScaleKind::kChannel
                                                               : ScaleKind::kBlock;
  for (std::size_t i = 0; i < encoding.scale.size(); ++i) {
    entry.scale.push_back(printable(encoding.scale[i]));
    entry.offset.push_back(static_cast<double>(full.q_min() - encoding.zero_point[i]));
    entry.min.push_back(encoding.range_min(i));
    entry.max.push_back(encoding.range_max(i));
  }
  return entry;
}

}  // namespace

std::optional<DType> code_type(const EncodingEntry& entry) {
  // What 0.6.1 and 1.0.0 call symmetric may lie on the unsigned grid: offset 0.
  const bool is_signed =
      entry.is_signed && !(entry.symmetric.value_or(false) && entry.kind != ScaleKind::kLpbq &&
                           !entry.offset.empty() && all_equal(entry.offset, 0.0));
  if (entry.is_float) return std::nullopt;
  switch (entry.bits) {
    case 4:
      return is_signed ? DType::kInt4 : DType::kUInt4;
    case 8:
      return is_signed ? DType::kInt8 : DType::kUInt8;
    case 16:
      return is_signed ? DType::kInt16 : DType::kUInt16;
    case 32:
      return is_signed ? std::optional(DType::kInt32) : std::nullopt;
    default:
      return std::nullopt;
  }
}

Encoding to_encoding(const EncodingEntry& source, const Shape& shape) {
  EncodingEntry entry = source;
  complete_entry(entry);
  if (entry.is_float || entry.scale.empty()) refuse(entry, "no integer encoding");
  Encoding encoding;
  const double lowest = -std::ldexp(1.0, entry.bits - 1);
  const bool symmetric = entry.symmetric.value_or(false);
  const auto type = code_type(entry);
  if (!type)
    refuse(entry, format("a width of {} bits: expected 4, 8, 16 or signed 32", entry.bits));
  encoding.type = *type;
  const bool is_signed = encoding.q_min() < 0;
  if (entry.kind == ScaleKind::kLpbq) {
    encoding.symmetric = true;
    add_two_levels(entry, shape, encoding);
    return encoding;
  }
  encoding.strict = symmetric && is_signed && all_equal(entry.offset, lowest + 1.0);
  if (encoding.strict) entry.offset.assign(entry.offset.size(), lowest);
  encoding.symmetric = is_signed ? all_equal(entry.offset, lowest) : symmetric;
  if (entry.kind == ScaleKind::kBlock) {
    add_blocks(entry, shape, encoding);
    return encoding;
  }
  encoding.granularity =
      entry.kind == ScaleKind::kChannel ? Granularity::kChannel : Granularity::kTensor;
  if (entry.kind == ScaleKind::kChannel) encoding.axis = axis_of(entry, shape);
  for (const double scale : entry.scale) encoding.scale.push_back(static_cast<float>(scale));
  encoding.zero_point = zero_points(entry, is_signed);
  return encoding;
}

quant::EncodingTable encoding_table(const EncodingFile& file, const ModelView& model,
                                    Findings& findings) {
  quant::EncodingTable table;
  for (const EncodingEntry& entry : file.entries) {
    if (entry.is_float || !has_numbers(entry) || !model.graph.has_value(entry.name)) continue;
    EncodingEntry placed = entry;
    if (!place_entry(placed, &model, findings)) continue;
    table.tensors[entry.name] =
        to_encoding(placed, known_shape(model.graph, entry.name).value_or(Shape{}));
  }
  return table;
}

EncodingFile encoding_file(const graph::Graph& graph, const quant::EncodingTable& encodings,
                           EncodingsVersion version, Findings& findings) {
  EncodingFile file;
  file.version = EncodingsVersion::k2_0_0;
  file.envelope = {{"version", version_name(file.version)}, {"encodings", Json()}};
  for (const auto& [name, encoding] : encodings.tensors) {
    if (encoding.type == DType::kInt32 && version != EncodingsVersion::k2_0_0) continue;
    const Tensor* constant = graph.find_initializer(name);
    EncodingEntry entry =
        entry_of(name, encoding, constant == nullptr ? Shape{} : constant->shape());
    entry.group = constant == nullptr ? EntryGroup::kActivation : EntryGroup::kParameter;
    entry.offset_written = false;
    file.entries.push_back(std::move(entry));
  }
  file = convert_encodings(std::move(file), version, nullptr, findings);
  // Where the channels lie follows from the graph that goes with the file.
  std::erase_if(findings, [](const Finding& finding) { return finding.id == "axis-dropped"; });
  return file;
}

}  // namespace hexquant::formats
