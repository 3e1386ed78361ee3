#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace hexquant {

/// Middle of the values, mean of the two middle ones for an even number; NaN for none.
[[nodiscard]] inline double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2.0;
}

}  // namespace hexquant
