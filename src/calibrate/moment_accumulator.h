#pragma once

#include <cstdint>
#include <vector>

#include "quant/layer_moments.h"

namespace hexquant::calibrate {

/// Sums LayerMoments over chunks of positions.
///
/// Values are centred by the mean of the first chunk before they are multiplied, which keeps the
/// float sums from cancelling; `finish` corrects for the true mean. The work of a chunk is cut into
/// parts that do not depend on the number of threads, so results do not either.
class MomentAccumulator {
 public:
  MomentAccumulator(std::int64_t groups, std::int64_t rows, std::int64_t columns, int threads);

  /// @param inputs   [groups, count, columns]; centred in place
  /// @param targets  [groups, count, rows]; centred in place
  void add(std::vector<float>& inputs, std::vector<float>& targets, std::int64_t count);

  /// Moves the result out. @pre some positions were added
  [[nodiscard]] quant::LayerMoments finish();

 private:
  void centre(std::vector<float>& values, std::int64_t count, std::int64_t width,
              std::vector<float>& shift, std::vector<double>& sum) const;
  void add_dense(const float* inputs, const float* targets, std::int64_t count);
  void add_group(std::int64_t group, const float* inputs, const float* targets, std::int64_t count);

  int threads_;
  quant::LayerMoments moments_;
  std::vector<float> input_shift_;
  std::vector<float> target_shift_;
  std::vector<double> target_sum_;  // of shifted values; moments_.mean likewise until finish
};

}  // namespace hexquant::calibrate
