#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "hexquant/progress.h"

namespace hexquant::pipeline {

/// What one sample's largest float input (or bytes) looks like.
struct SampleStatistics {
  double mean = 0.0;
  double deviation = 0.0;  ///< standard deviation of its elements
  double min = 0.0;
  double max = 0.0;
  /// Means of up to 64 parts of each input, runs of elements of the same length: near-duplicates
  /// have nearly the same.
  std::vector<float> signature;
};

struct DataStatistics {
  std::vector<SampleStatistics> samples;

  [[nodiscard]] double lowest_mean() const;
  [[nodiscard]] double highest_mean() const;
  [[nodiscard]] double lowest_deviation() const;
  [[nodiscard]] double lowest() const;  ///< of all elements
  [[nodiscard]] double highest() const;
};

/// Statistics of up to `most` samples, evenly chosen. @throws Error as Dataset::load
[[nodiscard]] DataStatistics measure_samples(const data::Dataset& data, std::int64_t most);

/// Samples that lie closer to an earlier one than 2 % of how far samples lie apart on the whole
/// (root mean square of the signatures against their mean): copies, burst shots, still scenes.
[[nodiscard]] std::int64_t count_near_duplicates(const DataStatistics& data);

}  // namespace hexquant::pipeline
