#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "quant/quant_plan.h"
#include "target/target.h"

namespace hexquant::plan {

/// The user's wishes; the target's rules decide what becomes of them.
struct PlanOptions {
  int weight_bits = 8;  ///< 4, 8 or 16
  /// 4-bit weights also where the HTP gains nothing from them (--weight-bits 4:all).
  bool weight_bits_everywhere = false;
  int act_bits = 8;    ///< 8 or 16
  int bias_bits = 32;  ///< 32 or 8
  Granularity granularity = Granularity::kChannel;
  std::int64_t group_size = 0;  ///< kGroup only
  bool weight_symmetric = true;
  bool weight_strict = false;  ///< -127..127 instead of -128..127
  /// Layers that stay float: node-name patterns with '*', or "op:TYPE".
  std::vector<std::string> keep_float;
};

/// Decides which tensors carry an encoding, of which type, shared with whom.
/// @throws Error(kInvalidArgument) on widths the target does not know or patterns that match
/// nothing
[[nodiscard]] quant::QuantPlan make_plan(const graph::Graph& graph, const target::Target& target,
                                         const PlanOptions& options);

}  // namespace hexquant::plan
