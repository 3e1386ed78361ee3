#pragma once

#include <string>

#include "hexquant/encoding.h"
#include "plan/tensor_overrides.h"
#include "quant/quant_plan.h"

namespace hexquant::plan {

/// `encoding` with the codes of another type of the same width: the same real values. uint8 with
/// zero point 128 becomes int8 with zero point 0.
[[nodiscard]] Encoding with_type(const Encoding& encoding, DType type);

/// Puts the numbers of an override of an activation or parameter, which has one encoding for the
/// whole tensor, into its policy. Nothing happens when there are none or the widths differ.
/// @throws Error(kInvalidArgument) naming the tensor when it has more than one
void use_tensor_numbers(const TensorOverride& wanted, const std::string& tensor,
                        quant::TensorPolicy& policy);

/// Puts the numbers of an override of a layer's weights into their policy: type, granularity, axis
/// and scales. Nothing happens when there are none or the widths differ.
/// @throws Error(kInvalidArgument) naming the weight when the number of scales does not fit `shape`
void use_weight_numbers(const TensorOverride& wanted, const std::string& weight, const Shape& shape,
                        quant::TensorPolicy& policy);

}  // namespace hexquant::plan
