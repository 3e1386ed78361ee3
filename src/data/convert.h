#pragma once

#include <cstdint>
#include <string>

#include "hexquant/tensor.h"

namespace hexquant::data {

/// `tensor` with elements of type `dtype`.
///
/// Every number must survive unchanged, except that floats may be rounded to a narrower float type
/// (to nearest, ties to even); bool takes only 0 and 1. The same type shares the buffer.
/// @param origin  where the tensor comes from, for messages
/// @throws Error(kInvalidData) naming the first value that does not fit;
///         Error(kUnsupported) on types that hold no plain numbers (string, complex, 4-bit)
[[nodiscard]] Tensor convert_exactly(const Tensor& tensor, DType dtype, const std::string& origin);

/// binary16 nearest to `value`, ties to even; too large values become infinite, NaN stays NaN.
[[nodiscard]] std::uint16_t float_to_float16(float value) noexcept;

}  // namespace hexquant::data
