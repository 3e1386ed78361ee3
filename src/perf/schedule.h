#pragma once

#include <vector>

#include "perf/operation_work.h"

namespace hexquant::perf {

/// When an operation runs, in cycles from the start of the inference.
struct OperationTimes {
  double start = 0.0;  ///< of its first step; fetching its weights ahead is not counted
  double end = 0.0;
  double exclusive = 0.0;  ///< how much later the run ends because of it: all of them add up
  double boundary = 0.0;   ///< part of `exclusive` for the layout and type of inputs and outputs
  double matrix = 0.0;     ///< cycles of work
  double vector = 0.0;     ///< thread cycles of work, divided by the threads
  double dma = 0.0;
  double weights_there = 0.0;        ///< when its weights and inputs are in VTCM
  double matrix_wait_for_dma = 0.0;  ///< the matrix unit stood still for its weights
};

struct Timeline {
  std::vector<OperationTimes> operations;
  double cycles = 0.0;
};

struct ScheduleOptions {
  double clock_mhz = 0.0;  ///< turns the time of operations on the CPU into cycles
  double dma_bytes_per_cycle = 0.0;
  double prefetch_bytes = 0.0;  ///< room in VTCM for weights that are fetched ahead
  int vector_threads = 4;
};

/// Runs the stages on one matrix unit, the vector threads and one DMA engine.
///
/// Operations are issued in order, each tile as soon as the tiles that it reads are done and its
/// unit is free; so a vector operation overlaps the matrix operation that feeds it, tile by tile.
/// DMA writes outputs beside everything else and fetches inputs, then weights in the order of their
/// use, as far ahead as `prefetch_bytes` allow; a matrix stage waits for its weights.
[[nodiscard]] Timeline schedule(const Workload& workload, const std::vector<OperationWork>& work,
                                const LatencyConstants& constants, const ScheduleOptions& options);

}  // namespace hexquant::perf
