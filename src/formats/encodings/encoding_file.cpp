#include "formats/encodings/encoding_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "hexquant/encoding.h"

namespace hexquant::formats {
namespace {

constexpr std::array<std::pair<EncodingsVersion, const char*>, 3> kVersions = {
    {{EncodingsVersion::k0_6_1, "0.6.1"},
     {EncodingsVersion::k1_0_0, "1.0.0"},
     {EncodingsVersion::k2_0_0, "2.0.0"}}};

/// Number as the file spells it: whole offsets as integers unless the file wrote reals.
Json whole_number(double value, bool as_real) {
  if (as_real || value != std::floor(value)) return value;
  return static_cast<std::int64_t>(value);
}

/// The keys that a file had, in its order, filled from `made` and `extra`; all members of both when
/// the entry comes from no file.
Json ordered(const Json& made, const std::vector<std::string>& keys, const Json& extra) {
  Json result = keys.empty() ? made : Json::object();
  for (const std::string& key : keys) {
    const auto found = made.find(key);
    if (found != made.end()) result[key] = *found;
    if (extra.is_object() && extra.contains(key)) result[key] = extra[key];
  }
  // Items after the first may have unknown keys of their own.
  if (extra.is_object()) result.update(extra);
  return result;
}

Json list_0_6_1(const EncodingEntry& entry) {
  const std::size_t count = std::max({std::size_t{1}, entry.scale.size(), entry.min.size()});
  Json list = Json::array();
  for (std::size_t i = 0; i < count; ++i) {
    Json item;
    item["bitwidth"] = entry.bits;
    item["dtype"] = entry.is_float ? "float" : "int";
    if (entry.symmetric) item["is_symmetric"] = *entry.symmetric ? "True" : "False";
    if (!entry.max.empty()) item["max"] = entry.max[i];
    if (!entry.min.empty()) item["min"] = entry.min[i];
    if (!entry.offset.empty() && entry.offset_written) {
      item["offset"] = whole_number(entry.offset[i], entry.offset_as_real);
    }
    if (!entry.scale.empty()) item["scale"] = entry.scale[i];
    const Json extra = entry.extra.is_array() ? entry.extra[i] : Json();
    list.push_back(ordered(item, entry.keys, extra));
  }
  return list;
}

const char* enc_type(ScaleKind kind) {
  switch (kind) {
    case ScaleKind::kNone:
    case ScaleKind::kTensor:
      return "PER_TENSOR";
    case ScaleKind::kChannel:
      return "PER_CHANNEL";
    case ScaleKind::kBlock:
      return "PER_BLOCK";
    case ScaleKind::kLpbq:
      return "LPBQ";
  }
  return "PER_TENSOR";
}

Json offsets_1_0_0(const EncodingEntry& entry, Json& shifts) {
  Json offsets = Json::array();
  bool whole = true;
  for (const double offset : entry.offset) {
    const double floor = std::floor(offset);
    offsets.push_back(whole_number(floor, entry.offset_as_real));
    shifts.push_back(offset - floor);
    whole = whole && offset == floor;
  }
  if (whole) shifts = Json();
  return offsets;
}

Json object_1_0_0(const EncodingEntry& entry) {
  Json object;
  object["name"] = entry.name;
  object["enc_type"] = enc_type(entry.kind);
  object["bw"] = entry.kind == ScaleKind::kLpbq ? entry.grid_bits : entry.bits;
  if (entry.kind == ScaleKind::kLpbq) object["compressed_bw"] = entry.bits;
  if (entry.block_size != 0) object["block_size"] = entry.block_size;
  object["dtype"] = entry.is_float ? "FLOAT" : "INT";
  if (!entry.is_float) {
    object["is_sym"] = entry.symmetric.value_or(false);
    object["scale"] = entry.scale;
    Json shifts = Json::array();
    object["offset"] = offsets_1_0_0(entry, shifts);
    if (!shifts.is_null()) object["zero_point_shift"] = std::move(shifts);
    if (entry.kind == ScaleKind::kLpbq) object["per_block_int_scale"] = entry.block_int_scale;
  }
  return ordered(object, entry.keys, entry.extra);
}

/// `numbers` in row-major nested lists of a shape; a bare number for an empty shape.
Json nested(const Json& numbers, const Shape& shape, std::size_t depth, std::size_t& next) {
  if (depth == shape.size()) return numbers[next++];
  Json list = Json::array();
  for (std::int64_t i = 0; i < shape[depth]; ++i) {
    list.push_back(nested(numbers, shape, depth + 1, next));
  }
  return list;
}

Json nested(const Json& numbers, const Shape& shape) {
  std::size_t next = 0;
  return nested(numbers, shape, 0, next);
}

std::string type_2_0_0(const EncodingEntry& entry) {
  if (!entry.float_type.empty()) return entry.float_type;
  if (entry.is_float) return "float" + std::to_string(entry.bits);
  return (entry.is_signed ? "int" : "uint") + std::to_string(entry.bits);
}

void add_scales_2_0_0(const EncodingEntry& entry, Json& object) {
  const Shape shape = entry.kind == ScaleKind::kChannel
                          ? Shape{static_cast<std::int64_t>(entry.scale.size())}
                          : entry.block_shape;
  object["y_scale"] = nested(entry.scale, shape);
  const double low = lowest_code(entry);
  Json zero_points = Json::array();
  bool zero = true;
  for (const double offset : entry.offset) {
    zero_points.push_back(whole_number(low - offset, false));
    zero = zero && offset == low;
  }
  if (!zero || entry.offset_written) object["y_zero_point"] = nested(zero_points, shape);
}

Json object_2_0_0(const EncodingEntry& entry) {
  Json object;
  object["name"] = entry.name;
  object["output_dtype"] = type_2_0_0(entry);
  if (entry.axis) object["axis"] = *entry.axis;
  if (entry.block_size != 0) object["block_size"] = entry.block_size;
  if (entry.kind == ScaleKind::kLpbq) {
    Shape channels = entry.block_shape;
    const int rank = static_cast<int>(channels.size());
    channels.at(static_cast<std::size_t>((*entry.axis + rank) % rank)) = 1;
    object["per_channel_float_scale"] = nested(entry.scale, channels);
    object["per_block_int_scale"] = nested(entry.block_int_scale, entry.block_shape);
  } else if (entry.kind != ScaleKind::kNone) {
    add_scales_2_0_0(entry, object);
  }
  return ordered(object, entry.keys, entry.extra);
}

}  // namespace

const char* version_name(EncodingsVersion version) noexcept {
  return kVersions[static_cast<std::size_t>(version)].second;
}

std::optional<EncodingsVersion> find_version(std::string_view name) noexcept {
  for (const auto& [version, text] : kVersions) {
    if (name == text) return version;
  }
  return std::nullopt;
}

bool has_numbers(const EncodingEntry& entry) noexcept {
  return !entry.scale.empty() || !entry.min.empty();
}

void complete_entry(EncodingEntry& entry) {
  if (!entry.scale.empty()) return;
  const double steps = std::ldexp(1.0, entry.bits) - 1.0;
  for (std::size_t i = 0; i < entry.min.size(); ++i) {
    const double min = std::min(entry.min[i], 0.0);
    const double max = std::max(entry.max[i], 0.0);
    entry.scale.push_back(std::max(max - min, double{kMinRange}) / steps);
    entry.offset.push_back(std::round(min / entry.scale.back()));
  }
}

double lowest_code(const EncodingEntry& entry) noexcept {
  return entry.is_signed ? -std::ldexp(1.0, entry.bits - 1) : 0.0;
}

Json encodings_json(const EncodingFile& file) {
  const bool flat = file.version == EncodingsVersion::k2_0_0;
  const bool keyed = file.version == EncodingsVersion::k0_6_1;
  Json activations = keyed ? Json::object() : Json::array();
  Json parameters = activations;
  Json all = Json::array();
  for (const EncodingEntry& entry : file.entries) {
    Json& group = entry.group == EntryGroup::kParameter ? parameters : activations;
    if (flat) {
      all.push_back(object_2_0_0(entry));
    } else if (keyed) {
      append_member(group, entry.name, list_0_6_1(entry));
    } else {
      group.push_back(object_1_0_0(entry));
    }
  }
  Json result = file.envelope;
  const auto put = [&](const char* key, Json& list) {
    if (result.contains(key) || !list.empty()) result[key] = std::move(list);
  };
  if (flat) {
    put("encodings", all);
  } else {
    put("activation_encodings", activations);
    put("param_encodings", parameters);
  }
  return result;
}

}  // namespace hexquant::formats
