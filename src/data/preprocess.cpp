#include "data/preprocess.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "data/preprocess_names.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

constexpr std::array<std::string_view, 8> kKeys{"resize", "crop", "interpolation", "antialias",
                                                "color",  "mean", "std",           "layout"};

[[noreturn]] void fail(const std::string& where, const std::string& expected) {
  throw Error(ErrorCode::kInvalidData, where + ": expected " + expected);
}

void check_keys(const Json& json, const std::string& origin) {
  if (!json.is_object()) fail(origin, "a JSON object with preprocessing keys");
  for (const auto& [key, value] : json.items()) {
    if (std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end()) continue;
    throw Error(ErrorCode::kInvalidData,
                format("{}: unknown key '{}': expected {}", origin, key, join(kKeys, ", ")));
  }
}

std::int64_t parse_side(const Json& json, const std::string& where) {
  const std::string expected = format("a whole number from 1 to {}", kMaxImageSide);
  if (!json.is_number_integer()) fail(where, expected);
  // Unsigned numbers above 2^63 come out negative here and are rejected with the rest.
  const auto side = json.get<std::int64_t>();
  if (side < 1 || side > kMaxImageSide) fail(where, expected);
  return side;
}

ImageSize parse_size(const Json& json, const std::string& where) {
  if (!json.is_array() || json.size() != 2) fail(where, "[height, width]");
  return {parse_side(json[0], where + "[0]"), parse_side(json[1], where + "[1]")};
}

void parse_resize(const Json& json, const std::string& where, Preprocess& preprocess) {
  if (json.is_null()) return;
  if (json.is_array()) {
    preprocess.resize = parse_size(json, where);
    return;
  }
  if (!json.is_object() || json.size() != 1 || !json.contains("shorter")) {
    fail(where, "null, [height, width] or {\"shorter\": n}");
  }
  preprocess.resize_shorter = parse_side(json.at("shorter"), where + ".shorter");
}

float parse_number(const Json& json, const std::string& where) {
  if (!json.is_number()) fail(where, "a number");
  const auto value = json.get<float>();
  if (!std::isfinite(value)) fail(where, "a finite number");
  return value;
}

std::vector<float> parse_numbers(const Json& json, const std::string& where) {
  if (json.is_number()) return {parse_number(json, where)};
  if (!json.is_array()) fail(where, "a number or a list of numbers");
  std::vector<float> values;
  for (std::size_t i = 0; i < json.size(); ++i) {
    values.push_back(parse_number(json[i], format("{}[{}]", where, i)));
  }
  return values;
}

template <typename Enum, std::size_t kCount>
Enum parse_name(const Json& json, const std::string& where, const NameTable<Enum, kCount>& table) {
  if (json.is_string()) {
    if (const auto value = find_name(table, json.get<std::string>())) return *value;
  }
  fail(where, "one of " + all_names(table));
}

}  // namespace

void check_channel_values(const Preprocess& preprocess, const std::string& mean_where,
                          const std::string& std_where, ErrorCode code) {
  const auto channels = static_cast<std::size_t>(preprocess.channels());
  for (const auto& [values, where] :
       {std::pair{&preprocess.mean, &mean_where}, std::pair{&preprocess.std, &std_where}}) {
    if (values->size() == 1 || values->size() == channels) continue;
    throw Error(code, format("{}: {} values: expected {} (or one for all channels)", *where,
                             values->size(), channels));
  }
  for (const float value : preprocess.std) {
    if (value > 0.0F) continue;
    throw Error(code, format("{}: {}: expected numbers above 0", std_where, value));
  }
}

Preprocess parse_preprocess(const std::string& json_text, const std::string& origin) {
  const Json json = parse_json(json_text, origin);
  check_keys(json, origin);
  Preprocess preprocess;
  const auto where = [&](const char* key) { return format("{}: {}", origin, key); };
  for (const auto& [key, value] : json.items()) {
    const std::string place = where(key.c_str());
    if (key == "resize") parse_resize(value, place, preprocess);
    if (key == "crop" && !value.is_null()) preprocess.crop = parse_size(value, place);
    if (key == "interpolation") {
      preprocess.interpolation = parse_name(value, place, kInterpolationNames);
    }
    if (key == "antialias") {
      if (!value.is_boolean()) fail(place, "true or false");
      preprocess.antialias = value.get<bool>();
    }
    if (key == "color") preprocess.color = parse_name(value, place, kColorNames);
    if (key == "mean") preprocess.mean = parse_numbers(value, place);
    if (key == "std") preprocess.std = parse_numbers(value, place);
    if (key == "layout") preprocess.layout = parse_name(value, place, kLayoutNames);
  }
  check_channel_values(preprocess, where("mean"), where("std"), ErrorCode::kInvalidData);
  return preprocess;
}

Preprocess read_preprocess(const std::string& file_or_json) {
  if (file_or_json.starts_with('{')) return parse_preprocess(file_or_json, "preprocessing");
  return parse_preprocess(read_file(file_or_json), file_or_json);
}

std::string preprocess_json(const Preprocess& preprocess) {
  Json json;
  json["resize"] = nullptr;
  if (preprocess.resize) json["resize"] = *preprocess.resize;
  if (preprocess.resize_shorter) json["resize"] = {{"shorter", *preprocess.resize_shorter}};
  json["crop"] = nullptr;
  if (preprocess.crop) json["crop"] = *preprocess.crop;
  json["interpolation"] = name_of(kInterpolationNames, preprocess.interpolation);
  json["antialias"] = preprocess.antialias;
  json["color"] = name_of(kColorNames, preprocess.color);
  json["mean"] = preprocess.mean;
  json["std"] = preprocess.std;
  if (preprocess.layout) json["layout"] = name_of(kLayoutNames, *preprocess.layout);
  return to_text(json);
}

const char* layout_name(ImageLayout layout) noexcept {
  return layout == ImageLayout::kNchw ? "nchw" : "nhwc";
}

}  // namespace hexquant::data
