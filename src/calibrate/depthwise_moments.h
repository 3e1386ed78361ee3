#pragma once

#include <cstdint>
#include <vector>

#include "quant/layer_moments.h"

namespace hexquant::calibrate {

/// LayerMoments of a depthwise convolution: MomentAccumulator for channels that lie side by side,
/// so that all small matrices grow together. Results do not depend on the number of threads.
class DepthwiseMoments {
 public:
  DepthwiseMoments(std::int64_t channels, std::int64_t taps, int threads);

  /// @param inputs   [count, taps, channels]; centred in place
  /// @param targets  [count, channels]; centred in place
  void add(std::vector<float>& inputs, std::vector<float>& targets, std::int64_t count);

  /// Moves the result out. @pre some positions were added
  [[nodiscard]] quant::LayerMoments finish();

 private:
  std::int64_t channels_;
  std::int64_t taps_;
  int threads_;
  std::int64_t count_ = 0;
  std::vector<float> gram_;          // in the layout of DepthwiseGram
  std::vector<float> cross_;         // [taps, channels]
  std::vector<float> input_shift_;   // [taps, channels]
  std::vector<float> target_shift_;  // [channels]
  std::vector<double> input_sum_;    // of shifted values
  std::vector<double> target_sum_;
};

}  // namespace hexquant::calibrate
