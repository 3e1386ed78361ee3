#pragma once

#include <string>
#include <unordered_map>

#include "graph/graph.h"
#include "plan/tensor_overrides.h"
#include "target/target.h"

namespace hexquant::plan {

struct Context;
struct Fusions;
class Sharing;

/// What overrides of tensors mean for the nodes that compute or read them.
struct NodeWish {
  int act_bits = 0;          ///< width of the output that an override asks for; 0 = none does
  int input_act_bits = 0;    ///< widest width that an override of an input asks for
  int weight_bits = 0;       ///< width of the weights, or of the table of a Gather
  std::string float_tensor;  ///< overridden tensor for which the node stays float; empty = none
};
using NodeWishes = std::unordered_map<const graph::Node*, NodeWish>;

/// Wishes that follow from names alone: widths of weights and tables, and float: the node that
/// computes a float activation, the layer that reads a float weight.
/// @throws Error(kInvalidArgument) on widths that weights cannot have
[[nodiscard]] NodeWishes wishes_of_names(const graph::Graph& graph, const target::Rules& rules,
                                         const TensorOverrides& overrides);

/// Adds the widths of activations. A node computes in one width, so an override of a value means
/// the node that computes it (the head of a fused chain; behind movers, what they move). Readers
/// follow to a wider width unless an override names their own output: read at 8 bits, a value of
/// 16 bits would have gained nothing.
/// @throws Error(kInvalidArgument) on widths other than 8 and 16
void add_activation_wishes(const Context& context, const Fusions& fusions, const Sharing& sharing,
                           NodeWishes& wishes);

}  // namespace hexquant::plan
