#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Gives every use of a shared constant that needs an encoding of its own a copy of its own.
///
/// - A bias is int32 with scale = activation scale x weight scale, so no two layers can share one.
/// - A weight has scales along its output channels; readers that see another axis as output
///   channels, or read it as an ordinary tensor, need another encoding.
/// Uses that need the same encoding go on sharing; the first kind of use keeps the name, and so
/// does a constant that a subgraph reads. Copies share the bytes in memory.
///
/// Why: a shared bias stays without encoding and the HTP then runs its layers in float: 233 times
/// slower on a MobileNetV2 whose exporter shared equal biases.
[[nodiscard]] PassReport separate_shared_weights(graph::Graph& graph);

}  // namespace hexquant::passes
