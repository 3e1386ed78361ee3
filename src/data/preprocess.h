#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hexquant::data {

enum class Interpolation { kNearest, kBilinear, kBicubic };
enum class ColorOrder { kRgb, kBgr, kGray };
enum class ImageLayout { kNchw, kNhwc };

/// [height, width] in pixels.
using ImageSize = std::array<std::int64_t, 2>;

/// Longest side that resize and crop accept.
inline constexpr std::int64_t kMaxImageSide = 16384;

/// From an image to the numbers a model is fed: decode, resize, crop, colour, normalise, in this
/// order. y = (x - mean) / std on the 0..255 scale.
struct Preprocess {
  std::optional<ImageSize> resize;             ///< exact size; at most one of resize and shorter
  std::optional<std::int64_t> resize_shorter;  ///< shorter side; the other keeps the ratio (floor)
  std::optional<ImageSize> crop;               ///< centred, offsets rounded down
  Interpolation interpolation = Interpolation::kBilinear;
  bool antialias = true;  ///< true: as Pillow; false: point sampling, as OpenCV and torch
  ColorOrder color = ColorOrder::kRgb;  ///< gray: ITU-R 601-2, as Pillow's "L"
  std::vector<float> mean{0.0F};        ///< one value, or one a channel in the order of `color`
  std::vector<float> std{1.0F};         ///< > 0; sizes as mean
  std::optional<ImageLayout> layout;    ///< absent: whichever fits the model input

  [[nodiscard]] std::int64_t channels() const noexcept {
    return color == ColorOrder::kGray ? 1 : 3;
  }
  friend bool operator==(const Preprocess&, const Preprocess&) = default;
};

/// Parses preprocessing JSON, for example
///   {"resize": {"shorter": 256}, "crop": [224, 224], "mean": [123.675, 116.28, 103.53],
///    "std": [58.395, 57.12, 57.375]}
/// Every key is optional; the defaults are those of Preprocess.
/// @param origin  file name, for messages
/// @throws Error(kInvalidData) naming the key: unknown key, wrong type, value out of range
[[nodiscard]] Preprocess parse_preprocess(const std::string& json, const std::string& origin);

/// From a JSON file, or from the JSON text itself when `file_or_json` begins with '{'.
/// @throws as parse_preprocess, Error(kIo)
[[nodiscard]] Preprocess read_preprocess(const std::string& file_or_json);

/// JSON text with every key; parse_preprocess gives the same Preprocess again.
[[nodiscard]] std::string preprocess_json(const Preprocess& preprocess);

/// Preprocessing as it is written on a command line; absent = the default.
struct PreprocessFlags {
  std::optional<std::string> resize;         ///< "256" = shorter side, "224,224" or "224x224" = h,w
  std::optional<std::string> crop;           ///< "224" = square, "224,224" or "224x224" = h,w
  std::optional<std::string> interpolation;  ///< nearest | bilinear | bicubic
  std::optional<bool> antialias;
  std::optional<std::string> color;   ///< rgb | bgr | gray
  std::optional<std::string> mean;    ///< "123.675,116.28,103.53" or one number
  std::optional<std::string> std;     ///< as mean
  std::optional<std::string> layout;  ///< nchw | nhwc
  /// True if nothing was given.
  [[nodiscard]] bool empty() const noexcept;
};

/// `base` with the given flags in place of its values.
/// @throws Error(kInvalidArgument) naming the flag
[[nodiscard]] Preprocess apply_flags(const Preprocess& base, const PreprocessFlags& flags);

/// "nchw" or "nhwc".
[[nodiscard]] const char* layout_name(ImageLayout layout) noexcept;

}  // namespace hexquant::data
