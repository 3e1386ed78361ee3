#include "formats/encodings/write_encodings.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "quant/fake_quant.h"

namespace hexquant::formats {
namespace {

/// Offset on the unsigned grid that starts at code 0: x = (q + offset) * scale.
std::int64_t unsigned_grid_offset(const Encoding& encoding, std::size_t index) {
  Encoding full = encoding;
  full.strict = false;
  return full.q_min() - encoding.zero_point[index];
}

const char* encoding_type_name(Granularity granularity) {
  switch (granularity) {
    case Granularity::kTensor:
      return "PER_TENSOR";
    case Granularity::kChannel:
      return "PER_CHANNEL";
    case Granularity::kGroup:
      return "PER_BLOCK";
  }
  return "PER_TENSOR";
}

/// Shortest decimal text that reads back as the same float.
double printable(float value) {
  return std::stod(Json(value).dump());
}

/// Indices of the scales in the order of the file: groups channel by channel, whichever axis of the
/// weight the channels lie on.
std::vector<std::size_t> channel_major(const Shape& shape, const Encoding& encoding) {
  std::vector<std::size_t> indices(encoding.scale.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  if (encoding.granularity != Granularity::kGroup) return indices;
  const quant::ScaleLayout layout = quant::scale_layout(shape, encoding);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const auto channel = static_cast<std::int64_t>(i) / layout.blocks();
    const auto block = static_cast<std::int64_t>(i) % layout.blocks();
    indices[i] = static_cast<std::size_t>(layout.block_index(channel, block));
  }
  return indices;
}

Json entry_1_0_0(const std::string& name, const Encoding& encoding, const Shape& shape) {
  Json entry;
  entry["name"] = name;
  entry["enc_type"] = encoding_type_name(encoding.granularity);
  entry["bw"] = encoding.bits();
  entry["dtype"] = "INT";
  entry["is_sym"] = encoding.symmetric;
  if (encoding.granularity == Granularity::kGroup) entry["block_size"] = encoding.block_size;
  Json scale = Json::array();
  Json offset = Json::array();
  for (const std::size_t i : channel_major(shape, encoding)) {
    scale.push_back(printable(encoding.scale[i]));
    offset.push_back(unsigned_grid_offset(encoding, i));
  }
  entry["scale"] = std::move(scale);
  entry["offset"] = std::move(offset);
  return entry;
}

/// LPBQ: codes of b bits times block integers up to 2^b are codes of 2b bits under the channel's
/// scale; `scale` and `offset` are those of that wide grid.
Json lpbq_entry(const std::string& name, const Encoding& encoding, const Shape& shape) {
  const int wide_bits = 2 * encoding.bits();
  Json entry;
  entry["name"] = name;
  entry["enc_type"] = "LPBQ";
  entry["bw"] = wide_bits;
  entry["compressed_bw"] = encoding.bits();
  entry["block_size"] = encoding.block_size;
  entry["dtype"] = "INT";
  entry["is_sym"] = true;
  Json scale = Json::array();
  Json offset = Json::array();
  for (const float one : encoding.channel_scale) {
    scale.push_back(printable(one));
    offset.push_back(-(std::int64_t{1} << (wide_bits - 1)));
  }
  entry["scale"] = std::move(scale);
  entry["offset"] = std::move(offset);
  Json integers = Json::array();
  for (const std::size_t i : channel_major(shape, encoding)) {
    integers.push_back(encoding.block_int_scale[i]);
  }
  entry["per_block_int_scale"] = std::move(integers);
  return entry;
}

Json override_entries(const Encoding& encoding) {
  Json list = Json::array();
  for (std::size_t i = 0; i < encoding.scale.size(); ++i) {
    Json entry;
    entry["bitwidth"] = encoding.bits();
    entry["dtype"] = "int";
    entry["is_symmetric"] = encoding.symmetric ? "True" : "False";
    entry["max"] = encoding.range_max(i);
    entry["min"] = encoding.range_min(i);
    entry["offset"] = unsigned_grid_offset(encoding, i);
    entry["scale"] = printable(encoding.scale[i]);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

Json encodings_1_0_0(const graph::Graph& graph, const quant::EncodingTable& encodings) {
  Json activations = Json::array();
  Json parameters = Json::array();
  for (const auto& [name, encoding] : encodings.tensors) {
    if (encoding.type == DType::kInt32) continue;
    const Tensor* constant = graph.find_initializer(name);
    const Shape shape = constant == nullptr ? Shape{} : constant->shape();
    (constant != nullptr ? parameters : activations)
        .push_back(encoding.has_two_level_scales() ? lpbq_entry(name, encoding, shape)
                                                   : entry_1_0_0(name, encoding, shape));
  }
  Json file;
  file["version"] = "1.0.0";
  file["activation_encodings"] = std::move(activations);
  file["param_encodings"] = std::move(parameters);
  file["producer"] = "hexquant";
  return file;
}

Json quantization_overrides(const graph::Graph& graph, const quant::EncodingTable& encodings) {
  Json activations = Json::object();
  Json parameters = Json::object();
  for (const auto& [name, encoding] : encodings.tensors) {
    if (encoding.type == DType::kInt32 || encoding.granularity == Granularity::kGroup) continue;
    const bool is_parameter = graph.find_initializer(name) != nullptr;
    (is_parameter ? parameters : activations)[name] = override_entries(encoding);
  }
  Json file;
  file["version"] = "0.6.1";
  file["activation_encodings"] = std::move(activations);
  file["param_encodings"] = std::move(parameters);
  return file;
}

}  // namespace hexquant::formats
