#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hexquant::runtime {

/// The graph as ONNX Runtime's optimizers leave it on this machine: fused, with convolutions in its
/// blocked channel layout. It can be run with optimizations off, in this process only.
///
/// @param outputs  values that must survive, each computed by a node
/// @throws Error(kUnsupported / kInvalidModel / kIo) when the graph cannot take this way: it is too
///         large to be written out, or ONNX Runtime does not load or save it
[[nodiscard]] graph::Graph optimize_graph(const graph::Graph& graph,
                                          const std::vector<std::string>& outputs);

/// Channels in a block of ONNX Runtime's blocked layout [N, C / block, H, W, block] on this
/// machine, found by reordering a small tensor; 1 when there is no such layout here.
[[nodiscard]] std::int64_t channel_block();

/// Where a value is found in an optimized graph.
struct BlockedValue {
  std::string name;           ///< value to read
  std::int64_t channels = 0;  ///< > 0: blocked layout, of which this many channels are real
};

/// Looks behind the node that turns a blocked value back into `value`, if there is one.
[[nodiscard]] BlockedValue find_blocked(const graph::Graph& optimized, const std::string& value);

}  // namespace hexquant::runtime
