#include "core/nearest_name.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

namespace hexquant {
namespace {

/// Table cells that all searches of one index may fill: 2^23, some 5 ns each.
constexpr std::int64_t kSearchCells = std::int64_t{1} << 23;

/// Letters and digits in lower case: converters replace all other characters.
std::string letters(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) continue;
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > limit) return limit + 1;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    // Outside the band |i - j| <= limit every path is longer than the limit.
    const std::size_t first = i > limit ? i - limit : 1;
    const std::size_t last = std::min(b.size(), i + limit);
    std::size_t diagonal = std::exchange(row[first - 1], first == 1 ? i : limit + 1);
    std::size_t smallest = limit + 1;
    for (std::size_t j = first; j <= last; ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      const std::size_t inserted = j == i + limit ? limit + 1 : row[j] + 1;
      row[j] = std::min({inserted, row[j - 1] + 1, substituted});
      smallest = std::min(smallest, row[j]);
    }
    if (smallest > limit) return limit + 1;
  }
  return std::min(row.back(), limit + 1);
}

NameIndex::NameIndex(const std::vector<std::string>& names)
    : names_(names), cells_left_(kSearchCells) {
  for (std::size_t i = 0; i < names.size(); ++i) by_letters_[letters(names[i])].push_back(i);
}

std::vector<std::string> NameIndex::nearest(const std::string& name, std::size_t count) {
  std::vector<std::string> result;
  const auto equal = by_letters_.find(letters(name));
  if (equal != by_letters_.end()) {
    for (const std::size_t i : equal->second) {
      if (result.size() < count) result.push_back(names_[i]);
    }
    return result;
  }
  const std::size_t limit = std::max<std::size_t>(1, name.size() / 3);
  std::vector<std::pair<std::size_t, std::size_t>> best;  // distance, index; ascending
  for (std::size_t i = 0; i < names_.size() && cells_left_ > 0; ++i) {
    const std::size_t bound = best.size() < count ? limit : best.back().first - 1;
    if (bound == 0) break;
    const std::size_t width = std::min(2 * bound + 1, names_[i].size());
    cells_left_ -= 1 + static_cast<std::int64_t>(std::min(name.size(), names_[i].size()) * width);
    const std::size_t distance = edit_distance(name, names_[i], bound);
    if (distance > bound) continue;
    const auto place = std::upper_bound(best.begin(), best.end(), std::pair(distance, i));
    best.insert(place, {distance, i});
    if (best.size() > count) best.pop_back();
  }
  for (const auto& [distance, i] : best) result.push_back(names_[i]);
  return result;
}

}  // namespace hexquant
