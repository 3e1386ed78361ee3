#include "profiling/viewer_line.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "profiling/profile_table.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kCycles = "(cycles)";
constexpr std::string_view kOpId = "OpId_";
constexpr std::string_view kBackend = "Backend (";

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_unit(std::string_view text) {
  constexpr std::array<std::string_view, 9> kUnits = {
      "us", "cycles", "count", "inf/sec", "bytes", "inf / sec", "ms", "ns", ""};
  return std::find(kUnits.begin(), kUnits.end(), text) != kUnits.end();
}

/// "147075 cycles" behind the last colon of `text`.
bool parse_value(std::string_view text, ValueLine& line) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view figure = trim_blanks(text.substr(colon + 1));
  if (figure.empty() || !is_digit(figure.front())) return false;
  const auto [stop, error] =
      std::from_chars(figure.data(), figure.data() + figure.size(), line.value);
  if (error != std::errc{} || !is_measurement(line.value)) return false;
  line.unit = trim_blanks(figure.substr(static_cast<std::size_t>(stop - figure.data())));
  line.label = trim_blanks(text.substr(0, colon));
  return is_unit(line.unit) && !line.label.empty();
}

/// A word that snpe-diagview appends: where a layer ran.
bool is_backend(std::string_view text) {
  return !text.empty() && text.size() <= 8 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || c == '_';
  });
}

}  // namespace

std::string_view trim_blanks(std::string_view text) {
  const std::size_t start = text.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
}

std::optional<ValueLine> parse_value_line(std::string_view line) {
  ValueLine result;
  const std::size_t indent = line.find_first_not_of(kBlanks);
  if (indent == std::string_view::npos) return std::nullopt;
  result.indent = indent;
  if (!parse_value(line, result)) {
    const std::size_t colon = line.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    result.backend = trim_blanks(line.substr(colon + 1));
    if (!is_backend(result.backend) || !parse_value(line.substr(0, colon), result)) {
      return std::nullopt;
    }
  }
  if (result.label.starts_with(kBackend) && result.label.ends_with(')')) {
    result.label.remove_prefix(kBackend.size());
    result.label.remove_suffix(1);
  }
  return result;
}

std::string_view operation_name(std::string_view label) {
  const std::size_t digits = std::min(label.find_first_not_of("0123456789"), label.size());
  if (digits > 0 && label.substr(digits).starts_with(": ")) label.remove_prefix(digits + 2);
  const std::string_view bare =
      trim_blanks(label.substr(0, label.size() - (label.ends_with(kCycles) ? kCycles.size() : 0)));
  if (bare.empty()) return label;
  label = bare;
  const std::size_t at = label.rfind(kOpId);
  if (at == std::string_view::npos || at == 0) return label;  // "OpId_0" has no other name
  const bool is_id =
      label.find_first_not_of("0123456789", at + kOpId.size()) == std::string_view::npos;
  if (!is_id || (label[at - 1] != ':' && label[at - 1] != ' ')) return label;
  const std::string_view name = trim_blanks(label.substr(0, at - 1));
  return name.empty() ? label : name;
}

}  // namespace hexquant::profiling
