#pragma once

#include <cstdint>

namespace hexquant {

/// IEEE 754 binary16 to float; exact for every input, NaN stays NaN.
[[nodiscard]] float float16_to_float(std::uint16_t half) noexcept;
/// bfloat16 (the upper half of a float) to float; exact.
[[nodiscard]] float bfloat16_to_float(std::uint16_t half) noexcept;

}  // namespace hexquant
