#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hexquant {

/// Levenshtein distance (insertions, deletions and substitutions cost 1), or `limit` + 1 when it is
/// larger than `limit`. Takes time proportional to the shorter length times `limit`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

/// Finds which of many names a misspelt one may mean.
class NameIndex {
 public:
  /// @param names  outlive the index
  explicit NameIndex(const std::vector<std::string>& names);

  /// Up to `count` names, most similar first: those equal but for case and punctuation, otherwise
  /// those within a third of the length in edit distance. Names further away help nobody.
  ///
  /// The searches of one index share a budget (about 0.05 s); once it is used up only names equal
  /// but for case and punctuation are found. Results do not depend on speed.
  [[nodiscard]] std::vector<std::string> nearest(const std::string& name, std::size_t count);

 private:
  const std::vector<std::string>& names_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_letters_;
  std::int64_t cells_left_;
};

}  // namespace hexquant
