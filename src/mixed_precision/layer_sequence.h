#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/node_order.h"
#include "quant/quant_plan.h"

namespace hexquant::mixed_precision {

/// A layer of the plan as a stretch of nodes: its operation and what is fused behind it.
struct LayerStretch {
  std::string node;
  std::string op;
  std::string weight;     ///< initializer; may be empty
  std::string output;     ///< value that it hands on
  std::size_t first = 0;  ///< cut before its first node
  std::size_t last = 0;   ///< cut behind its last node
  int block = -1;
};

/// Layers [first, last] between two cuts where the flow through the network is a single value: a
/// residual block, a module of branches, an attention block.
struct LayerBlock {
  std::size_t first = 0;
  std::size_t last = 0;
};

/// The integer layers of a plan in the order in which they run, every layer's nodes side by side.
struct LayerSequence {
  graph::NodeOrder order;
  std::vector<LayerStretch> layers;
  std::vector<LayerBlock> blocks;  ///< of at least two layers

  /// Values alive at a cut, graph outputs that are known there included.
  [[nodiscard]] std::vector<std::string> cut(const graph::Graph& graph, std::size_t place) const;
};

/// Layers whose values stay float are left out. Blocks are found from the structure alone: values
/// that no layer with weights has touched (an attention mask, an input) do not count as flow.
/// @pre graph is sorted and outlives the result
[[nodiscard]] LayerSequence sequence_layers(const graph::Graph& graph,
                                            const quant::QuantPlan& plan);

}  // namespace hexquant::mixed_precision
