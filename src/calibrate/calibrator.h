#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "hexquant/progress.h"
#include "quant/statistics.h"

namespace hexquant::calibrate {

/// What to gather about one value.
struct Tap {
  bool histogram = true;  ///< false: only min, max and counts
  bool channel_moments = false;
  int channel_axis = 1;
};

/// A layer whose input Gram matrix is wanted (Conv, ConvTranspose, Gemm or MatMul by node name).
struct GramRequest {
  std::string node;
  std::int64_t columns_per_sample = 256;  ///< random output positions used of each sample
};

struct CalibrationOptions {
  int threads = 1;
  std::uint64_t seed = 0;  ///< of the positions drawn for Gram matrices
};

/// ONE pass over the data: statistics of every tapped value.
///
/// Samples are cut into fixed blocks that do not depend on `threads`; each block runs on a
/// single-threaded session and blocks are merged in sample order, so results are equal bit for bit
/// for any number of threads. Memory is O(tapped tensors of one sample), never O(samples).
/// @throws Error(kInvalidData) naming sample and value when nothing finite was seen;
///         Error(kCancelled)
[[nodiscard]] quant::Statistics calibrate(const graph::Graph& graph, const data::Dataset& dataset,
                                          const std::map<std::string, Tap>& taps,
                                          const std::vector<GramRequest>& grams,
                                          const CalibrationOptions& options,
                                          ProgressSink& progress);

}  // namespace hexquant::calibrate
