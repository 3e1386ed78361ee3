#pragma once

#include <cstddef>

/// Plain data only, as in scan_kernels.h.
namespace hexquant::calibrate {

/// Channels whose sums lie side by side.
inline constexpr std::size_t kGramLanes = 8;

/// Adds the small Gram matrices of all channels: for a <= b
/// gram[((c / 8) * kernel * kernel + a * kernel + b) * 8 + c % 8] += sum over positions p of
/// columns[(p * kernel + a) * channels + c] * columns[(p * kernel + b) * channels + c].
/// @param gram  [ceil(channels / 8), kernel, kernel, 8]
using DepthwiseGram = void (*)(const float* columns, std::size_t positions, std::size_t kernel,
                               std::size_t channels, float* gram) noexcept;

void depthwise_gram_scalar(const float* columns, std::size_t positions, std::size_t kernel,
                           std::size_t channels, float* gram) noexcept;
void depthwise_gram_avx2(const float* columns, std::size_t positions, std::size_t kernel,
                         std::size_t channels, float* gram) noexcept;
/// The fastest variant that this machine runs; variants differ in the last bits.
[[nodiscard]] DepthwiseGram best_depthwise_gram() noexcept;

}  // namespace hexquant::calibrate
