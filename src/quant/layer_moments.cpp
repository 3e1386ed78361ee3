#include "quant/layer_moments.h"

namespace hexquant::quant {

void uncentre(LayerMoments& moments, const std::vector<float>& bias) {
  const std::int64_t n = moments.columns;
  for (std::int64_t g = 0; g < moments.groups; ++g) {
    const double* const mean = moments.mean.data() + g * n;
    float* const gram = moments.gram.data() + g * n * n;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) gram[i * n + j] += static_cast<float>(mean[i] * mean[j]);
    }
    for (std::int64_t r = 0; r < moments.rows; ++r) {
      const auto output = static_cast<std::size_t>(g * moments.rows + r);
      if (moments.cross.empty()) continue;
      const double target = moments.target_mean[output] - (bias.empty() ? 0.0F : bias[output]);
      float* const cross = moments.cross.data() + static_cast<std::int64_t>(output) * n;
      for (std::int64_t c = 0; c < n; ++c) cross[c] += static_cast<float>(target * mean[c]);
    }
  }
}

LayerMoments moments_of_gram(const LayerGram& gram, const std::vector<float>& weights,
                             const std::vector<float>& bias) {
  LayerMoments moments;
  moments.groups = gram.groups;
  moments.columns = gram.columns;
  moments.count = gram.count;
  const std::int64_t n = gram.columns;
  moments.rows = static_cast<std::int64_t>(weights.size()) / (n * gram.groups);
  const auto count = static_cast<double>(gram.count);
  for (const double sum : gram.sum) moments.mean.push_back(sum / count);
  moments.gram.resize(gram.gram.size());
  for (std::int64_t g = 0; g < gram.groups; ++g) {
    const double* const mean = moments.mean.data() + g * n;
    for (std::int64_t i = 0; i < n * n; ++i) {
      const auto at = static_cast<std::size_t>(g * n * n + i);
      moments.gram[at] = static_cast<float>(gram.gram[at] / count - mean[i / n] * mean[i % n]);
    }
    for (std::int64_t r = 0; r < moments.rows; ++r) {
      const auto output = static_cast<std::size_t>(g * moments.rows + r);
      double target = bias.empty() ? 0.0 : bias[output];
      for (std::int64_t c = 0; c < n; ++c) {
        target +=
            weights[output * static_cast<std::size_t>(n) + static_cast<std::size_t>(c)] * mean[c];
      }
      moments.target_mean.push_back(target);
    }
  }
  return moments;
}

}  // namespace hexquant::quant
