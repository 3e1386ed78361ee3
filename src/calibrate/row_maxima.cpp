#include "calibrate/row_maxima.h"

#include <algorithm>
#include <cmath>

namespace hexquant::calibrate {

void RowMaxima::add(const runtime::TapView& view) {
  if (view.channel_block != 1 || view.shape.empty() || view.shape.back() == 0) return;
  const std::int64_t length = view.shape.back();
  const std::int64_t rows = element_count(view.shape) / length;
  const float* row = view.floats();
  for (std::int64_t r = 0; r < rows; ++r, row += length) {
    const float largest = *std::max_element(row, row + length);
    if (std::isfinite(largest)) smallest_ = std::min(smallest_, largest);
  }
  row_length_ = std::max(row_length_, length);
}

void RowMaxima::merge(const RowMaxima& other) {
  smallest_ = std::min(smallest_, other.smallest_);
  row_length_ = std::max(row_length_, other.row_length_);
}

void RowMaxima::finish(quant::ValueStatistics& statistics) const {
  if (!std::isfinite(smallest_)) return;
  statistics.smallest_row_max = smallest_;
  statistics.row_length = row_length_;
}

}  // namespace hexquant::calibrate
