#pragma once

#include "plan/classify.h"
#include "quant/quant_plan.h"

namespace hexquant::plan {

/// Applies the wishes to the weights of an integer layer, as far as the target accepts them.
///
/// 4 bits only where the HTP gains from them (1x1 stride-1 convolutions, Gemm and MatMul with
/// enough outputs) unless forced; 16 bits only with 16-bit activations; per group only where blocks
/// are accepted, else per channel; per channel on the axis that is computed right, else per tensor.
/// 4 and 16-bit weights are symmetric.
/// @pre the node's rule has a weight, which is the constant `weight`
/// @return policy of role kWeight; its `reason` says where it differs from the wishes
[[nodiscard]] quant::TensorPolicy choose_weights(const Context& context, const graph::Node& node,
                                                 const Tensor& weight);

}  // namespace hexquant::plan
