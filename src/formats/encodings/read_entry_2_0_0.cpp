#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "core/format.h"
#include "formats/encodings/read_entries.h"

namespace hexquant::formats {
namespace {

constexpr std::string_view kKnown[] = {
    "axis",         "block_size",          "name",
    "output_dtype", "per_block_int_scale", "per_channel_float_scale",
    "y_scale",      "y_zero_point"};

/// Width of "uint8", "int4"; 0 for another text.
int integer_bits(std::string_view type) {
  if (type.starts_with('u')) type.remove_prefix(1);
  if (!type.starts_with("int")) return 0;
  type.remove_prefix(3);
  int bits = 0;
  const auto [end, error] = std::from_chars(type.data(), type.data() + type.size(), bits);
  const bool whole = error == std::errc() && end == type.data() + type.size();
  return whole && bits >= 1 && bits <= kMaxBits ? bits : 0;
}

void read_type(const JsonCursor& value, EncodingEntry& entry) {
  const std::string& type = value.text();
  if (const int bits = integer_bits(type); bits != 0) {
    entry.bits = bits;
    entry.is_signed = type[0] == 'i';
    return;
  }
  entry.is_float = true;
  if (type == "float16") {
    entry.bits = 16;
  } else if (type == "float32") {
    entry.bits = 32;
  } else if (type == "bfloat16") {
    entry.bits = 16;
    entry.float_type = type;
  } else if (type.starts_with("float8e")) {
    entry.bits = 8;
    entry.float_type = type;
  } else {
    value.fail("uint8, int8, uint16, int16, int4, int32, float16 or another ONNX type name");
  }
}

/// Lengths of nested lists, judged by the first element of each.
Shape outline(const JsonCursor& value) {
  std::array<std::int64_t, kMaxRank> lengths{};
  std::size_t rank = 0;
  for (const Json* at = &value.json(); at->is_array(); at = &at->front()) {
    if (rank == kMaxRank) value.fail(format("at most {} nested lists", kMaxRank));
    lengths[rank++] = static_cast<std::int64_t>(at->size());
    if (at->empty()) break;
  }
  return {lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(rank)};
}

template <typename T>
struct Nested {
  Shape shape;
  std::vector<T> numbers;  ///< row-major
};

template <typename T, typename Read>
void collect(const JsonCursor& value, std::size_t depth, Read read, Nested<T>& nested) {
  if (depth == nested.shape.size()) {
    nested.numbers.push_back(read(value));
    return;
  }
  const std::int64_t length = nested.shape[depth];
  if (length == 0) value.fail("no empty list");
  if (!value.is_array() || static_cast<std::int64_t>(value.size()) != length) {
    value.fail(format("a list of {}, as before it", length));
  }
  for (std::size_t i = 0; i < value.size(); ++i) collect(value.at(i), depth + 1, read, nested);
}

/// A number, or lists of lists of equal lengths, read row by row.
template <typename Read>
auto read_nested(const JsonCursor& value, Read read) {
  Nested<decltype(read(value))> nested;
  nested.shape = outline(value);
  collect(value, 0, read, nested);
  return nested;
}

void read_axis(const JsonCursor& object, EncodingEntry& entry, int rank) {
  const auto axis = static_cast<int>(object.at("axis").integer(-rank, rank - 1));
  entry.axis = axis;
}

/// Zero points, in the shape of the scales; absent means 0.
void read_zero_points(const JsonCursor& object, const Shape& shape, EncodingEntry& entry) {
  const auto value = object.find("y_zero_point");
  entry.offset_written = value.has_value();
  entry.offset.assign(entry.scale.size(), lowest_code(entry));
  if (!value) return;
  const auto nested = read_nested(*value, read_offset);
  if (nested.shape != shape) value->fail("as many zero points, in the same lists, as y_scale");
  for (std::size_t i = 0; i < entry.offset.size(); ++i) entry.offset[i] -= nested.numbers[i];
}

void read_scales(const JsonCursor& object, EncodingEntry& entry) {
  const JsonCursor value = object.at("y_scale");
  auto nested = read_nested(value, read_scale);
  entry.scale = std::move(nested.numbers);
  read_zero_points(object, nested.shape, entry);
  const int rank = static_cast<int>(nested.shape.size());
  if (object.find("block_size")) {
    entry.kind = ScaleKind::kBlock;
    entry.block_size = object.at("block_size").integer(1, kMaxBlockSize);
    if (rank == 0) value.fail("lists nested as deep as the weight has dimensions");
    entry.block_shape = std::move(nested.shape);
    read_axis(object, entry, rank);
  } else if (rank == 0 || (entry.scale.size() == 1 && !object.find("axis"))) {
    entry.kind = ScaleKind::kTensor;
    if (rank > 1) value.fail("a number");
    entry.block_shape = std::move(nested.shape);
  } else {
    entry.kind = ScaleKind::kChannel;
    if (rank > 1) value.fail("a list of numbers, or a block_size");
    read_axis(object, entry, kMaxRank);
  }
}

void read_lpbq(const JsonCursor& object, EncodingEntry& entry) {
  if (!entry.is_signed || 2 * entry.bits > kMaxBits) {
    object.at("output_dtype").fail("a signed type of at most 16 bits with per_block_int_scale");
  }
  entry.kind = ScaleKind::kLpbq;
  entry.grid_bits = 2 * entry.bits;
  entry.block_size = object.at("block_size").integer(1, kMaxBlockSize);
  const std::int64_t largest = std::int64_t{1} << entry.bits;
  auto blocks = read_nested(object.at("per_block_int_scale"),
                            [&](const JsonCursor& value) { return value.integer(1, largest); });
  const JsonCursor channel_value = object.at("per_channel_float_scale");
  auto channels = read_nested(channel_value, read_scale);
  const int rank = static_cast<int>(blocks.shape.size());
  if (rank == 0) object.at("per_block_int_scale").fail("nested lists");
  read_axis(object, entry, rank);
  Shape expected = blocks.shape;
  expected[static_cast<std::size_t>(*entry.axis < 0 ? *entry.axis + rank : *entry.axis)] = 1;
  if (channels.shape != expected) {
    channel_value.fail(format("lists of shape {}: that of per_block_int_scale with 1 on axis {}",
                              shape_text(expected), *entry.axis));
  }
  entry.block_int_scale = std::move(blocks.numbers);
  entry.block_shape = std::move(blocks.shape);
  entry.scale = std::move(channels.numbers);
  entry.offset.assign(entry.scale.size(), -std::ldexp(1.0, entry.grid_bits - 1));
}

/// 2.0.0 does not say it: a signed grid around 0, or AIMET's unsigned-symmetric and
/// strict-symmetric ones (zero points -2^(b-1) and -1).
bool looks_symmetric(const EncodingEntry& entry) {
  if (!entry.is_signed) return false;
  if (entry.kind == ScaleKind::kLpbq) return true;
  const double low = lowest_code(entry);
  return std::all_of(entry.offset.begin(), entry.offset.end(), [&](double offset) {
    return offset == low || offset == 0.0 || offset == low + 1.0;
  });
}

}  // namespace

EncodingEntry read_entry_2_0_0(const JsonCursor& object) {
  EncodingEntry entry;
  entry.name = object.at("name").text();
  entry.keys = keys_of(object);
  entry.extra = unknown_members(object, kKnown);
  read_type(object.at("output_dtype"), entry);
  if (object.find("per_block_int_scale")) {
    read_lpbq(object, entry);
  } else if (!entry.is_float || object.find("y_scale")) {
    read_scales(object, entry);
  }
  if (!entry.is_float) entry.symmetric = looks_symmetric(entry);
  return entry;
}

}  // namespace hexquant::formats
