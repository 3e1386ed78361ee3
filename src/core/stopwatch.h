#pragma once

#include <chrono>

namespace hexquant {

/// Wall time since construction or the last lap.
class Stopwatch {
 public:
  /// Seconds since the last lap; starts the next one.
  double lap_seconds() {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - lap_).count();
    lap_ = now;
    return seconds;
  }
  [[nodiscard]] double total_seconds() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  Clock::time_point lap_ = start_;
};

}  // namespace hexquant
