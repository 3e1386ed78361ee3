#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "data/preprocess.h"
#include "hexquant/error.h"

// Words that JSON and flags share. Internal to preprocessing.
namespace hexquant::data {

template <typename Enum, std::size_t kCount>
using NameTable = std::array<std::pair<std::string_view, Enum>, kCount>;

inline constexpr NameTable<Interpolation, 3> kInterpolationNames{
    {{"nearest", Interpolation::kNearest},
     {"bilinear", Interpolation::kBilinear},
     {"bicubic", Interpolation::kBicubic}}};
inline constexpr NameTable<ColorOrder, 3> kColorNames{
    {{"rgb", ColorOrder::kRgb}, {"bgr", ColorOrder::kBgr}, {"gray", ColorOrder::kGray}}};
inline constexpr NameTable<ImageLayout, 2> kLayoutNames{
    {{"nchw", ImageLayout::kNchw}, {"nhwc", ImageLayout::kNhwc}}};

template <typename Enum, std::size_t kCount>
std::optional<Enum> find_name(const NameTable<Enum, kCount>& table, std::string_view name) {
  for (const auto& [candidate, value] : table) {
    if (candidate == name) return value;
  }
  return std::nullopt;
}

template <typename Enum, std::size_t kCount>
std::string name_of(const NameTable<Enum, kCount>& table, Enum value) {
  for (const auto& [name, candidate] : table) {
    if (candidate == value) return std::string(name);
  }
  return {};
}

/// "nearest, bilinear, bicubic"
template <typename Enum, std::size_t kCount>
std::string all_names(const NameTable<Enum, kCount>& table) {
  std::string text;
  for (const auto& entry : table) {
    if (!text.empty()) text += ", ";
    text += entry.first;
  }
  return text;
}

/// @throws Error(code) when mean or std do not fit the number of channels, or std is not positive
void check_channel_values(const Preprocess& preprocess, const std::string& mean_where,
                          const std::string& std_where, ErrorCode code);

}  // namespace hexquant::data
