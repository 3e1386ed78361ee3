#include <charconv>
#include <cmath>
#include <string_view>

#include "core/format.h"
#include "data/preprocess.h"
#include "data/preprocess_names.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

[[noreturn]] void fail(const char* flag, const std::string& text, const std::string& expected) {
  throw Error(ErrorCode::kInvalidArgument, format("{} '{}': expected {}", flag, text, expected));
}

/// Parts of `text` between separators.
std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find_first_of(separators);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename T>
std::optional<T> parse_whole(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::int64_t> parse_sides(const char* flag, const std::string& text) {
  std::vector<std::int64_t> sides;
  for (const std::string_view part : split(text, ",x")) {
    const auto side = parse_whole<std::int64_t>(part);
    if (!side || *side < 1 || *side > kMaxImageSide) {
      fail(flag, text, format("N or H,W with numbers from 1 to {}", kMaxImageSide));
    }
    sides.push_back(*side);
  }
  if (sides.size() > 2) fail(flag, text, "N or H,W");
  return sides;
}

std::vector<float> parse_numbers(const char* flag, const std::string& text) {
  std::vector<float> values;
  for (const std::string_view part : split(text, ",")) {
    const auto value = parse_whole<float>(part);
    if (!value || !std::isfinite(*value)) {
      fail(flag, text, "numbers separated by commas, e.g. 123.675,116.28,103.53");
    }
    values.push_back(*value);
  }
  return values;
}

template <typename Enum, std::size_t kCount>
Enum parse_name(const char* flag, const std::string& text, const NameTable<Enum, kCount>& table) {
  const auto value = find_name(table, text);
  if (!value) fail(flag, text, "one of " + all_names(table));
  return *value;
}

void apply_resize(const std::string& text, Preprocess& preprocess) {
  const auto sides = parse_sides("--resize", text);
  preprocess.resize.reset();
  preprocess.resize_shorter.reset();
  if (sides.size() == 1) {
    preprocess.resize_shorter = sides[0];
  } else {
    preprocess.resize = ImageSize{sides[0], sides[1]};
  }
}

}  // namespace

bool PreprocessFlags::empty() const noexcept {
  return !resize && !crop && !interpolation && !antialias && !color && !mean && !std && !layout;
}

Preprocess apply_flags(const Preprocess& base, const PreprocessFlags& flags) {
  Preprocess preprocess = base;
  if (flags.resize) apply_resize(*flags.resize, preprocess);
  if (flags.crop) {
    const auto sides = parse_sides("--crop", *flags.crop);
    preprocess.crop = ImageSize{sides.front(), sides.back()};
  }
  if (flags.interpolation) {
    preprocess.interpolation =
        parse_name("--interpolation", *flags.interpolation, kInterpolationNames);
  }
  if (flags.antialias) preprocess.antialias = *flags.antialias;
  if (flags.color) preprocess.color = parse_name("--color", *flags.color, kColorNames);
  if (flags.mean) preprocess.mean = parse_numbers("--mean", *flags.mean);
  if (flags.std) preprocess.std = parse_numbers("--std", *flags.std);
  if (flags.layout) preprocess.layout = parse_name("--layout", *flags.layout, kLayoutNames);
  check_channel_values(preprocess, "--mean", "--std", ErrorCode::kInvalidArgument);
  return preprocess;
}

}  // namespace hexquant::data
