#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/sample_order.h"
#include "quant/statistics.h"
#include "runtime/tap_session.h"

namespace hexquant::calibrate {

/// Channel moments of one value, added in sample order.
class ChannelAccumulator {
 public:
  ChannelAccumulator(std::string value, int axis);
  /// Thread-safe. @throws Error(kInvalidData) when the value has no such axis, or when its number
  /// of channels is not that of the first sample
  void add(const runtime::TapView& view, std::int64_t sample);
  void fail(std::int64_t sample) { order_.fail(sample); }
  [[nodiscard]] const quant::ChannelMoments& moments() const noexcept { return moments_; }

 private:
  [[nodiscard]] std::size_t resolve_axis(const Shape& shape) const;

  std::string value_;
  int axis_;
  SampleOrder order_;
  quant::ChannelMoments moments_;
};

}  // namespace hexquant::calibrate
