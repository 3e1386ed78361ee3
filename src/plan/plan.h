#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "formats/overrides/overrides.h"
#include "graph/graph.h"
#include "quant/quant_plan.h"
#include "quant/quantsim_config.h"
#include "target/target.h"

namespace hexquant::plan {

/// Other widths for some layers (mixed precision). Later entries win.
struct LayerBits {
  std::string pattern;  ///< node name with '*', or "op:TYPE"
  int weight_bits = 0;  ///< 4, 8 or 16; 0 = as everywhere
  int act_bits = 0;     ///< 8 or 16, of the layer's inputs and output; 0 = as everywhere
};

/// The user's wishes; the target's rules decide what becomes of them.
struct PlanOptions {
  int weight_bits = 8;  ///< 4, 8 or 16
  /// 4-bit weights also where the HTP gains nothing from them (--weight-bits 4:all).
  bool weight_bits_everywhere = false;
  int act_bits = 8;    ///< 8 or 16
  int bias_bits = 32;  ///< 32 or 8
  Granularity granularity = Granularity::kChannel;
  std::int64_t group_size = 0;  ///< kGroup only
  /// kGroup with 4-bit codes: bits of the integer block scales (LPBQ); 0 = float block scales.
  int block_scale_bits = 0;
  bool weight_symmetric = true;
  bool weight_strict = false;  ///< -127..127 instead of -128..127
  /// Layers that stay float: node-name patterns with '*', or "op:TYPE".
  std::vector<std::string> keep_float;
  std::vector<LayerBits> layer_bits;
  /// What single tensors are to be (--overrides), above everything else; null = nothing.
  std::shared_ptr<const formats::Overrides> overrides;
  /// Which tensors carry an encoding, and its kind (--config); null = the target's rules. Where the
  /// target cannot do what it says, the target's rules hold.
  std::shared_ptr<const quant::QuantsimConfig> config;
  /// The model as it was read, or null: names that only it has are no error in `overrides`. Must
  /// outlive the planning.
  const graph::Graph* original = nullptr;
};

/// Decides which tensors carry an encoding, of which type, shared with whom.
///
/// 1. Every node runs in integers, moves codes, stays float (a finding says why) or is no float
///    arithmetic at all; rules: data/targets/hexagon.json. Integer islands without a layer among
///    float nodes become float.
/// 2. Operations that the HTP runs as one (Conv+Relu, MatMul+bias) have nothing quantized between.
/// 3. Data movers share the encoding of their input; Concat gives its own to those inputs whose
///    every element it holds. A group's representative holds all values of the group.
/// 4. A group carries an encoding when an integer node computes or reads one of its members.
///    Activations are unsigned and asymmetric. A reader that needs another type (16-bit second
///    operand of MatMul, another width) reads through an edge.
///    A uint8 graph input (graph::integer_input) keeps the encoding that the application feeds.
/// 5. Float constants that element-wise operations read carry the activation type (role kActivation
///    on an initializer: their own values give the range), and so do embedding tables, which share
///    the encoding of the gathered rows. Layer weights, biases and parameters of normalizations
///    follow the rules of their operation.
///
/// 6. Overrides choose width, symmetry and numbers of single tensors; a configuration chooses which
///    values carry an encoding at all, and supergroups, symmetry, constraints and kernels by
///    operation type. See docs/methods/overrides.md.
///
/// Activation values must have a type (Graph::find_type); nodes are in topological order.
/// @throws Error(kInvalidArgument) on widths the target does not know or patterns that match
/// nothing
[[nodiscard]] quant::QuantPlan make_plan(const graph::Graph& graph, const target::Target& target,
                                         const PlanOptions& options);

}  // namespace hexquant::plan
