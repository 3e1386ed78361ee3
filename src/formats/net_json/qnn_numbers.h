#pragma once

#include "core/json.h"
#include "hexquant/encoding.h"

namespace hexquant::formats {

/// Number of an element type in QNN files: 562 = 0x0232 = float of 32 bits. 0x7FFFFFFF = none.
[[nodiscard]] int type_number(DType dtype);
/// Number of the fixed-point type of codes: 1032 = 0x0408 = unsigned, 8 bits.
[[nodiscard]] int fixed_point_number(DType dtype);

/// `quant_params` of an encoding: scale_offset, axis_scale_offset or block_scale_offset.
/// offset = -zero_point, so that real = (code + offset) * scale.
[[nodiscard]] Json quant_params(const Encoding& encoding);
/// `quant_params` of a tensor that is not quantized.
[[nodiscard]] Json no_quant_params();

}  // namespace hexquant::formats
