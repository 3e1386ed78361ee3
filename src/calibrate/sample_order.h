#pragma once

#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>

#include "hexquant/error.h"

namespace hexquant::calibrate {

/// Lets workers add to a sum in the order of the samples, whoever finishes first: floating-point
/// sums then do not depend on the number of threads.
///
/// Samples are started in order and pass all their sums in the same order, so the oldest sample
/// never waits and the others follow it like a pipeline.
class SampleOrder {
 public:
  /// Runs `body` once the bodies of all earlier samples are done.
  /// @throws Error(kCancelled) when an earlier sample failed
  template <typename Body>
  void in_order(std::int64_t sample, const Body& body) {
    std::unique_lock lock(mutex_);
    turn_.wait(lock, [&] { return next_ == sample || failed_ < sample; });
    if (failed_ < sample) throw Error(ErrorCode::kCancelled, "an earlier sample failed");
    body();
    ++next_;
    turn_.notify_all();
  }

  /// Samples after this one need not wait any more.
  void fail(std::int64_t sample) {
    const std::lock_guard lock(mutex_);
    if (sample < failed_) failed_ = sample;
    turn_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  std::int64_t next_ = 0;
  std::int64_t failed_ = std::numeric_limits<std::int64_t>::max();
};

}  // namespace hexquant::calibrate
