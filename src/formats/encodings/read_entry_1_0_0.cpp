#include <cmath>

#include "core/format.h"
#include "formats/encodings/read_entries.h"

namespace hexquant::formats {
namespace {

constexpr std::string_view kKnown[] = {
    "block_size", "bw",     "compressed_bw",       "dtype", "enc_type",        "is_sym",
    "name",       "offset", "per_block_int_scale", "scale", "zero_point_shift"};

ScaleKind read_kind(const JsonCursor& object) {
  const JsonCursor value = object.at("enc_type");
  const std::string& word = value.text();
  if (word == "PER_TENSOR") return ScaleKind::kTensor;
  if (word == "PER_CHANNEL") return ScaleKind::kChannel;
  if (word == "PER_BLOCK") return ScaleKind::kBlock;
  if (word == "LPBQ") return ScaleKind::kLpbq;
  value.fail("PER_TENSOR, PER_CHANNEL, PER_BLOCK or LPBQ");
}

bool read_is_float(const JsonCursor& object) {
  const JsonCursor value = object.at("dtype");
  const std::string& word = value.text();
  if (word == "INT" || word == "int") return false;
  if (word == "FLOAT" || word == "float") return true;
  value.fail("\"INT\" or \"FLOAT\"");
}

void read_scales(const JsonCursor& object, EncodingEntry& entry) {
  const JsonCursor scales = object.at("scale");
  const JsonCursor offsets = object.at("offset");
  if (scales.expect_array().size() == 0) scales.fail("at least one scale");
  if (entry.kind == ScaleKind::kTensor && scales.size() != 1) scales.fail("a list of 1");
  if (offsets.expect_array().size() != scales.size()) {
    offsets.fail(format("a list of {}, as many as scale has", scales.size()));
  }
  entry.offset_as_real = offsets.json()[0].is_number_float();
  for (std::size_t i = 0; i < scales.size(); ++i) {
    entry.scale.push_back(read_scale(scales.at(i)));
    entry.offset.push_back(read_offset(offsets.at(i)));
    if (entry.offset.back() != std::floor(entry.offset.back())) {
      offsets.at(i).fail("a whole number (the rest is zero_point_shift)");
    }
  }
}

/// AIMET writes an offset that is not whole as its floor and the rest.
void read_shifts(const JsonCursor& object, EncodingEntry& entry) {
  const auto shifts = object.find("zero_point_shift");
  if (!shifts) return;
  if (shifts->expect_array().size() != entry.offset.size()) {
    shifts->fail(format("a list of {}, as many as scale has", entry.offset.size()));
  }
  for (std::size_t i = 0; i < shifts->size(); ++i) {
    const double shift = shifts->at(i).number();
    if (!(shift >= 0.0 && shift < 1.0)) shifts->at(i).fail("a number from 0 to below 1");
    entry.offset[i] += shift;
  }
}

void read_blocks(const JsonCursor& object, EncodingEntry& entry) {
  entry.block_size = object.at("block_size").integer(1, kMaxBlockSize);
  if (entry.kind != ScaleKind::kLpbq) return;
  entry.grid_bits = entry.bits;
  entry.bits = static_cast<int>(object.at("compressed_bw").integer(1, entry.grid_bits));
  const JsonCursor integers = object.at("per_block_int_scale");
  const std::size_t count = integers.expect_array().size();
  if (count == 0 || count % entry.scale.size() != 0) {
    integers.fail(
        format("a list with as many blocks for each of the {} channels", entry.scale.size()));
  }
  const std::int64_t largest = std::int64_t{1} << (entry.grid_bits - entry.bits);
  for (std::size_t i = 0; i < count; ++i) {
    entry.block_int_scale.push_back(integers.at(i).integer(1, largest));
  }
}

}  // namespace

EncodingEntry read_entry_1_0_0(const JsonCursor& object) {
  EncodingEntry entry;
  entry.name = object.at("name").text();
  entry.keys = keys_of(object);
  entry.extra = unknown_members(object, kKnown);
  entry.bits = static_cast<int>(object.at("bw").integer(1, kMaxBits));
  entry.is_float = read_is_float(object);
  const ScaleKind kind = read_kind(object);
  if (entry.is_float) {
    if (kind != ScaleKind::kTensor) object.at("enc_type").fail("PER_TENSOR for a float tensor");
    return entry;
  }
  entry.kind = kind;
  entry.symmetric = object.at("is_sym").boolean();
  entry.is_signed = *entry.symmetric;
  read_scales(object, entry);
  read_shifts(object, entry);
  if (kind == ScaleKind::kBlock || kind == ScaleKind::kLpbq) read_blocks(object, entry);
  return entry;
}

}  // namespace hexquant::formats
