#include "calibrate/depthwise_gram.h"

#include "core/cpu_features.h"

namespace hexquant::calibrate {

void depthwise_gram_scalar(const float* columns, std::size_t positions, std::size_t kernel,
                           std::size_t channels, float* gram) noexcept {
  for (std::size_t p = 0; p < positions; ++p, columns += kernel * channels) {
    for (std::size_t a = 0; a < kernel; ++a) {
      for (std::size_t b = a; b < kernel; ++b) {
        const float* const left = columns + a * channels;
        const float* const right = columns + b * channels;
        for (std::size_t c = 0; c < channels; ++c) {
          const std::size_t block = c / kGramLanes * kernel * kernel;
          gram[(block + a * kernel + b) * kGramLanes + c % kGramLanes] += left[c] * right[c];
        }
      }
    }
  }
}

DepthwiseGram best_depthwise_gram() noexcept {
  return cpu_has_avx2() ? depthwise_gram_avx2 : depthwise_gram_scalar;
}

}  // namespace hexquant::calibrate
