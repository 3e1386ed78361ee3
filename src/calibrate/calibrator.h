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
  int channel_axis = 1;     ///< negative: from the end
  bool row_maxima = false;  ///< the smallest maximum of a row along the last axis
};

/// A layer whose input Gram matrix is wanted (Conv, ConvTranspose, Gemm or MatMul by node name).
struct GramRequest {
  std::string node;
  /// Random output positions used of each sample, >= 1. The work grows with them; 64 of each of 256
  /// samples are several times the columns of usual layers.
  std::int64_t columns_per_sample = 64;
};

struct CalibrationOptions {
  int threads = 1;
  std::uint64_t seed = 0;  ///< of the positions drawn for Gram matrices
};

/// ONE pass over the data: statistics of every tapped value.
///
/// Each sample runs on one thread, and every element is counted where it lies, right after it was
/// computed. Results are equal bit for bit for any number of threads: ranges and counts are exact,
/// and floating-point sums (channel moments, Gram matrices) are added in sample order. Memory is
/// O(threads x tapped tensors) and does not grow with the samples. A channel that saw NaN or an
/// infinity has non-finite moments.
/// @param taps  float32 values: inputs, initializers or node outputs
/// @throws Error(kInvalidData) naming the value when nothing finite was seen;
///         Error(kUnsupported) naming a value of another type, or a node without Gram matrix;
///         Error(kInvalidArgument) on unknown names; Error(kCancelled)
[[nodiscard]] quant::Statistics calibrate(const graph::Graph& graph, const data::Dataset& dataset,
                                          const std::map<std::string, Tap>& taps,
                                          const std::vector<GramRequest>& grams,
                                          const CalibrationOptions& options,
                                          ProgressSink& progress);

}  // namespace hexquant::calibrate
