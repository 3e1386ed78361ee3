#pragma once

#include <cstdint>
#include <vector>

#include "quant/statistics.h"

namespace hexquant::quant {

/// What rounding needs to know of one layer y = W x + b instead of its data: second moments over
/// sampled output positions, of the inputs x^ that the quantized layer sees (x^ = x where the
/// prefix is float) and of the outputs t that it should give.
///
/// Columns are ordered as in LayerGram. For each conv group: `rows` outputs, `columns` inputs.
struct LayerMoments {
  std::int64_t groups = 1;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t count = 0;           ///< positions
  std::vector<float> gram;          ///< [groups, columns, columns]: cov(x^), symmetric
  std::vector<double> mean;         ///< [groups, columns]: E[x^]
  std::vector<float> cross;         ///< [groups, rows, columns]: cov(t, x^)
  std::vector<double> target_mean;  ///< [groups, rows]: E[t], bias included
};

/// Some of those positions themselves, for what second moments cannot say (a Relu behind the
/// layer).
///
/// Stored by column: all positions of one input lie together, and those of one output.
struct LayerSamples {
  static constexpr std::int64_t kMultiple = 64;  ///< count is a multiple of this

  std::int64_t count = 0;
  std::int64_t group_stride = 0;   ///< column j of group g is number g * group_stride +
  std::int64_t column_stride = 1;  ///< j * column_stride
  std::vector<float> inputs;       ///< [columns of all groups, count]: x^
  std::vector<float> targets;      ///< [groups * rows, count]: t, bias included

  [[nodiscard]] const float* input(std::int64_t group, std::int64_t column) const noexcept {
    return inputs.data() + (group * group_stride + column * column_stride) * count;
  }
  [[nodiscard]] const float* target(std::int64_t output) const noexcept {
    return targets.data() + output * count;
  }
};

/// Moments about 0 of the inputs, and of the outputs without their bias: for a layer whose bias
/// cannot take the mean of the error. `cross` may be empty.
void uncentre(LayerMoments& moments, const std::vector<float>& bias);

/// Moments of a layer y = W x + b whose inputs are the float model's: t = y, and `cross` stays
/// empty because W itself is the best weight. @param weights  [groups, rows, columns]
[[nodiscard]] LayerMoments moments_of_gram(const LayerGram& gram, const std::vector<float>& weights,
                                           const std::vector<float>& bias);

}  // namespace hexquant::quant
