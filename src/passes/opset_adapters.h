#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::passes {

/// The operator set that passes, planning and export work in: the first with 4- and 16-bit
/// QuantizeLinear.
inline constexpr std::int64_t kInternalOpset = 21;

/// Rewrites one node from the form before operator set `version` to the form since.
/// @return why that is not possible, "" when done; a node that cannot be adapted is left half-done,
///         so adapters work on a copy of the graph
using Adapter = std::string (*)(graph::Graph& graph, const graph::Node& node);

struct OperatorChange {
  const char* op_type;
  std::int64_t version;  ///< operator set that brought the new form
  Adapter adapt;
};

/// Every change between operator sets 7 and 21 that is more than new types, new optional inputs or
/// attributes whose default is the old meaning, or clearer words; by version.
/// Source: version history of onnx.defs (onnx 1.23), each change compared in ONNX Runtime 1.32.
[[nodiscard]] const std::vector<OperatorChange>& operator_changes();

/// True for operators of ai.onnx that exist, or have a replacement, in operator set 21.
[[nodiscard]] bool is_known_operator(const std::string& op_type);

// Adapters that need more than a line; each says in its source what changed.
[[nodiscard]] std::string adapt_softmax(graph::Graph& graph, const graph::Node& node);
[[nodiscard]] std::string adapt_upsample(graph::Graph& graph, const graph::Node& node);
[[nodiscard]] std::string adapt_resize_10(graph::Graph& graph, const graph::Node& node);
[[nodiscard]] std::string adapt_resize_11(graph::Graph& graph, const graph::Node& node);
[[nodiscard]] std::string adapt_group_normalization(graph::Graph& graph, const graph::Node& node);

/// Adds an initializer under a name made from the node's. @return the name
[[nodiscard]] std::string add_constant(graph::Graph& graph, const graph::Node& node,
                                       const std::string& role, Tensor tensor);

}  // namespace hexquant::passes
