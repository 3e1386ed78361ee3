#pragma once

#include <cstddef>

/// Plain data only, as in scan_kernels.h.
namespace hexquant::calibrate {

/// gram[(a * kernel + b) * channels + c] += sum over positions of
/// columns[(p * kernel + a) * channels + c] * columns[(p * kernel + b) * channels + c], for a <= b:
/// one small Gram matrix for each channel, all channels side by side.
using DepthwiseGram = void (*)(const float* columns, std::size_t positions, std::size_t kernel,
                               std::size_t channels, float* gram) noexcept;

void depthwise_gram_scalar(const float* columns, std::size_t positions, std::size_t kernel,
                           std::size_t channels, float* gram) noexcept;
void depthwise_gram_avx2(const float* columns, std::size_t positions, std::size_t kernel,
                         std::size_t channels, float* gram) noexcept;
/// The fastest variant that this machine runs; variants differ in the last bits.
[[nodiscard]] DepthwiseGram best_depthwise_gram() noexcept;

}  // namespace hexquant::calibrate
