#include "plan/pattern.h"

#include <algorithm>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::plan {

bool glob_match(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      // Let the last '*' take one character more.
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches_node(const std::string& pattern, const graph::Node& node) {
  constexpr std::string_view kOpPrefix = "op:";
  if (pattern.starts_with(kOpPrefix)) {
    return std::string_view(pattern).substr(kOpPrefix.size()) == node.op_type();
  }
  return glob_match(pattern, node.name());
}

void check_matches_some_node(const graph::Graph& graph, const std::string& pattern,
                             const char* option) {
  const bool found =
      std::any_of(graph.nodes().begin(), graph.nodes().end(),
                  [&](const graph::Node& node) { return matches_node(pattern, node); });
  if (found) return;
  throw Error(ErrorCode::kInvalidArgument,
              format("{} '{}' matches no node of the model: expected a node name, a pattern with "
                     "'*', or op:TYPE",
                     option, pattern));
}

}  // namespace hexquant::plan
