#pragma once

#include <cstdint>
#include <vector>

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
struct LayerSamples {
  std::int64_t count = 0;
  std::vector<float> inputs;   ///< [groups, count, columns]: x^
  std::vector<float> targets;  ///< [groups, count, rows]: t, bias included
};

}  // namespace hexquant::quant
