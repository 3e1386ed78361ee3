#pragma once

#include <algorithm>
#include <ctime>
#include <functional>

#include "core/stopwatch.h"

namespace hexquant {

/// Least cost of some repetitions of the same work: what other processes add is left out.
struct LeastCost {
  double cpu_seconds = 1e30;  ///< of this process, all threads
  double wall_seconds = 1e30;

  void time(const std::function<void()>& work) {
    const Stopwatch watch;
    const std::clock_t start = std::clock();
    work();
    const double cpu = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    cpu_seconds = std::min(cpu_seconds, cpu);
    wall_seconds = std::min(wall_seconds, watch.total_seconds());
  }
};

inline LeastCost measure(int repetitions, const std::function<void()>& work) {
  LeastCost best;
  for (int i = 0; i < repetitions; ++i) best.time(work);
  return best;
}

}  // namespace hexquant
