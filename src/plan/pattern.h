#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"

namespace hexquant::plan {

/// True if `text` equals `pattern`, in which '*' stands for any run of characters.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text) noexcept;

/// True if a user's pattern means this node: "op:TYPE", or a node name with '*'.
[[nodiscard]] bool matches_node(const std::string& pattern, const graph::Node& node);

/// @throws Error(kInvalidArgument) naming `option` and the pattern when no node matches
void check_matches_some_node(const graph::Graph& graph, const std::string& pattern,
                             const char* option);

}  // namespace hexquant::plan
