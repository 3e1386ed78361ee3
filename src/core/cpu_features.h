#pragma once

/// What the kernels' run-time dispatch asks of the processor. Plain declarations, so that files
/// compiled for newer instruction sets may include it.
namespace hexquant {

/// AVX2 with fused multiply-add and half-precision conversions.
[[nodiscard]] bool cpu_has_avx2() noexcept;
/// The above and AVX-512 F, BW, DQ and VL.
[[nodiscard]] bool cpu_has_avx512() noexcept;

}  // namespace hexquant
