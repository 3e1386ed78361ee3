#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "target/rules.h"

namespace hexquant::target {

/// Form in which a tensor is handed to an operation.
struct TensorFormat {
  DType type = DType::kUInt8;
  bool symmetric = false;
  Granularity granularity = Granularity::kTensor;
  int axis = 0;                 ///< channel axis, or block axis of kGroup
  std::int64_t block_size = 0;  ///< kGroup only
};

/// Forms of a node's quantized tensors; those that stay float are absent.
struct NodeFormats {
  std::map<int, TensorFormat> inputs;  ///< by input index, weights and biases included
  std::optional<TensorFormat> output;
};

/// Channel axis of the weights of a layer; -1 where per-channel scales are not possible (batched
/// MatMul weights, grouped ConvTranspose). @pre rule.weight
[[nodiscard]] int channel_axis(const OpRule& rule, const graph::Node& node, const Shape& weight);

/// Axis of the weights over which the products are summed: where blocks lie. @pre rule.weight
[[nodiscard]] int reduction_axis(const OpRule& rule, const graph::Node& node, const Shape& weight);

/// Why the node cannot run in integers whatever the types; nullopt when it can. Looks at the
/// operation, its attributes and which inputs are constant.
[[nodiscard]] std::optional<std::string> integer_obstacle(const Rules& rules,
                                                          const graph::Graph& graph,
                                                          const graph::Node& node);

/// Why block-quantized weights of this type and block size are not accepted.
[[nodiscard]] std::optional<std::string> block_obstacle(const Rules& rules, const graph::Node& node,
                                                        const OpRule& rule, const Shape& weight,
                                                        DType type, int act_bits,
                                                        std::int64_t block_size);

/// Why the HTP rejects the node with these formats, runs it in float, or computes it wrongly;
/// nullopt when it runs in integers. Covers operation, rank, activation types, equal types of
/// inputs and output, weight type, granularity and axis, computed second operands, parameters.
[[nodiscard]] std::optional<std::string> legality(const Rules& rules, const graph::Graph& graph,
                                                  const graph::Node& node,
                                                  const NodeFormats& formats);

}  // namespace hexquant::target
