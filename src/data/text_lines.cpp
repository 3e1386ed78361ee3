#include "data/text_lines.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/format.h"
#include "core/nearest_name.h"

namespace hexquant::data {
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\v\f";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<TextLine> text_lines(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<TextLine> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    if (!line.empty()) lines.push_back({number, line});
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string nearest_names(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr std::size_t kShown = 3;
  constexpr std::size_t kMaxNameBytes = 256;  // the distance costs the product of both lengths
  if (candidates.empty()) return "(none)";
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& candidate : candidates) {
    ranked.emplace_back(
        edit_distance(name.substr(0, kMaxNameBytes),
                      std::string_view(candidate).substr(0, kMaxNameBytes), kMaxNameBytes),
        "'" + candidate + "'");
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(kShown, ranked.size()); ++i) {
    shown.push_back(ranked[i].second);
  }
  return format("{}{}", join(shown, ", "), ranked.size() > kShown ? ", ..." : "");
}

}  // namespace hexquant::data
