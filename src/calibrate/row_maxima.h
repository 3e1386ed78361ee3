#pragma once

#include <cstdint>
#include <limits>

#include "quant/statistics.h"
#include "runtime/tap_session.h"

namespace hexquant::calibrate {

/// Smallest of the row maxima of a value, rows lying along its last axis. Independent of the order
/// in which samples are added. Rows without a finite element (fully masked with -inf) are left out.
class RowMaxima {
 public:
  /// Views in blocked layout have no rows and are left out: they do not feed a Softmax.
  void add(const runtime::TapView& view);
  void merge(const RowMaxima& other);
  /// Sets smallest_row_max and row_length if any row was seen.
  void finish(quant::ValueStatistics& statistics) const;

 private:
  float smallest_ = std::numeric_limits<float>::infinity();
  std::int64_t row_length_ = 0;
};

}  // namespace hexquant::calibrate
