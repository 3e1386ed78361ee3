#include "perf/schedule.h"

#include <algorithm>

namespace hexquant::perf {
namespace {

/// When each tile of a value is there.
using Ready = std::vector<double>;

class Scheduler {
 public:
  Scheduler(const Workload& workload, const std::vector<OperationWork>& work,
            const LatencyConstants& constants, const ScheduleOptions& options)
      : workload_(workload),
        work_(work),
        constants_(constants),
        options_(options),
        ready_(work.size()),
        threads_(static_cast<std::size_t>(std::max(1, options.vector_threads)),
                 constants.start_cycles) {
    matrix_free_ = last_end_ = dma_free_ = constants.start_cycles;
  }

  Timeline run() {
    timeline_.operations.resize(work_.size());
    for (std::size_t i = 0; i < work_.size(); ++i) run_operation(i);
    timeline_.cycles = last_end_ + constants_.start_cycles;
    if (!timeline_.operations.empty()) {
      // What precedes the first and follows the last operation belongs to them.
      timeline_.operations.front().exclusive += constants_.start_cycles;
      timeline_.operations.back().exclusive += constants_.start_cycles;
    }
    return std::move(timeline_);
  }

 private:
  void run_operation(std::size_t index) {
    const OperationWork& work = work_[index];
    OperationTimes& times = timeline_.operations[index];
    const double weights_there = fetch(index);
    Ready input = inputs_of(index);
    times.weights_there = weights_there;
    times.start = *std::min_element(input.begin(), input.end());
    const bool has_matrix =
        std::any_of(work.stages.begin(), work.stages.end(),
                    [](const Stage& stage) { return stage.lane == Lane::kMatrix; });
    if (!has_matrix && work.input_tiles == 1) raise(input, weights_there);
    int halo = work.halo_tiles;
    bool first_matrix = true;
    for (const Stage& stage : work.stages) {
      Ready output;
      if (stage.lane == Lane::kMatrix) {
        const double gate = first_matrix ? weights_there : 0.0;
        output = run_matrix(stage, input, halo, gate, first_matrix ? work.transfers : 0, times);
        first_matrix = false;
      } else if (stage.lane == Lane::kVector) {
        output = run_vector(stage, input, halo, times);
      } else if (stage.lane == Lane::kTransfer) {
        output = run_transfer(stage, input, times);
      } else {
        output = run_cpu(stage, input);
      }
      if (!stage.is_boundary) halo = 0;
      account(output, stage, times);
      input = std::move(output);
    }
    times.end = *std::max_element(input.begin(), input.end());
    ready_[index] = std::move(input);
    ended_.push_back(std::max(times.end, ended_.empty() ? 0.0 : ended_.back()));
  }

  /// The end of the run so far moves: that is what the stage costs.
  void account(const Ready& output, const Stage& stage, OperationTimes& times) {
    const double end = *std::max_element(output.begin(), output.end());
    const double later = std::max(0.0, end - last_end_);
    last_end_ += later;
    times.exclusive += later;
    if (stage.is_boundary) times.boundary += later;
  }

  /// Moves inputs and weights of an operation into VTCM. @return when they are there
  double fetch(std::size_t index) {
    const OperationWork& work = work_[index];
    const auto bytes = static_cast<double>(work.ddr_read_bytes);
    if (bytes <= 0.0) return 0.0;
    // Weights of earlier operations make room when these have ended.
    fetched_bytes_.push_back(
        {index, static_cast<double>(work.weight_bytes) +
                    (fetched_bytes_.empty() ? 0.0 : fetched_bytes_.back().total)});
    double gate = dma_free_;
    while (oldest_ + 1 < fetched_bytes_.size() &&
           fetched_bytes_.back().total - fetched_bytes_[oldest_].total > options_.prefetch_bytes) {
      ++oldest_;
      const std::size_t before = fetched_bytes_[oldest_].operation;
      if (before > 0 && before <= ended_.size()) gate = std::max(gate, ended_[before - 1]);
    }
    const double cycles = bytes / options_.dma_bytes_per_cycle;
    timeline_.operations[index].dma += cycles;
    dma_free_ = gate + cycles;
    return dma_free_;
  }

  /// Tiles of the value that comes last, with the end of all others.
  Ready inputs_of(std::size_t index) {
    const Operation& operation = workload_.operations[index];
    Ready ready = {0.0};
    for (const int tensor : operation.inputs) {
      const WorkTensor& t = workload_.tensors[static_cast<std::size_t>(tensor)];
      if (t.is_graph_input && work_[index].ddr_read_bytes > 0) merge(ready, arrivals(index));
      if (t.producer < 0 || static_cast<std::size_t>(t.producer) >= index) continue;
      merge(ready, ready_[static_cast<std::size_t>(t.producer)]);
    }
    return ready;
  }

  /// When the parts of a graph input are there: its transfer was the last one.
  [[nodiscard]] Ready arrivals(std::size_t index) const {
    const int tiles = work_[index].input_tiles;
    const double each =
        static_cast<double>(work_[index].ddr_read_bytes) / options_.dma_bytes_per_cycle / tiles;
    Ready ready(static_cast<std::size_t>(tiles));
    for (int tile = 0; tile < tiles; ++tile) {
      ready[static_cast<std::size_t>(tile)] = dma_free_ - each * (tiles - 1 - tile);
    }
    return ready;
  }

  static void raise(Ready& ready, double time) {
    for (double& tile : ready) tile = std::max(tile, time);
  }

  static void merge(Ready& ready, const Ready& other) {
    if (other.size() > ready.size()) {
      Ready finer = other;
      for (std::size_t i = 0; i < finer.size(); ++i) {
        finer[i] = std::max(finer[i], ready[i * ready.size() / finer.size()]);
      }
      ready = std::move(finer);
      return;
    }
    for (std::size_t i = 0; i < ready.size(); ++i) {
      const std::size_t last = ((i + 1) * other.size() + ready.size() - 1) / ready.size() - 1;
      ready[i] = std::max(ready[i], other[std::min(last, other.size() - 1)]);
    }
  }

  /// When tile `tile` of `tiles` can start.
  static double start_of(const Ready& input, int tile, int tiles, int halo, bool needs_all) {
    if (needs_all) return *std::max_element(input.begin(), input.end());
    const auto size = static_cast<std::int64_t>(input.size());
    const std::int64_t last =
        (static_cast<std::int64_t>(tile + 1) * size + tiles - 1) / tiles - 1 + halo;
    return input[static_cast<std::size_t>(std::clamp<std::int64_t>(last, 0, size - 1))];
  }

  Ready run_matrix(const Stage& stage, const Ready& input, int halo, double weights_there,
                   int transfers, OperationTimes& times) {
    const double each = stage.cycles / stage.tiles;
    Ready output(static_cast<std::size_t>(stage.tiles));
    times.matrix += stage.cycles;
    matrix_free_ += transfers * constants_.dma_issue_cycles;
    for (int tile = 0; tile < stage.tiles; ++tile) {
      double start =
          std::max(matrix_free_, start_of(input, tile, stage.tiles, halo, stage.needs_all));
      if (tile == 0) {
        start += transfers * constants_.dma_wait_cycles;
        times.matrix_wait_for_dma += std::max(0.0, weights_there - start);
        start = std::max(start, weights_there);
      }
      matrix_free_ = start + each;
      output[static_cast<std::size_t>(tile)] = matrix_free_;
    }
    return output;
  }

  Ready run_vector(const Stage& stage, const Ready& input, int halo, OperationTimes& times) {
    const double each = stage.cycles / stage.tiles;
    Ready output(static_cast<std::size_t>(stage.tiles));
    times.vector += stage.cycles / static_cast<double>(threads_.size());
    for (int tile = 0; tile < stage.tiles; ++tile) {
      const auto thread = std::min_element(threads_.begin(), threads_.end());
      const double start =
          std::max(*thread, start_of(input, tile, stage.tiles, halo, stage.needs_all) +
                                constants_.spawn_cycles);
      *thread = start + each;
      output[static_cast<std::size_t>(tile)] = *thread;
    }
    return output;
  }

  Ready run_transfer(const Stage& stage, const Ready& input, OperationTimes& times) {
    const double each = stage.cycles / options_.dma_bytes_per_cycle / stage.tiles;
    Ready output(static_cast<std::size_t>(stage.tiles));
    times.dma += each * stage.tiles;
    for (int tile = 0; tile < stage.tiles; ++tile) {
      written_ = std::max(written_, start_of(input, tile, stage.tiles, 0, stage.needs_all)) + each;
      output[static_cast<std::size_t>(tile)] = written_;
    }
    return output;
  }

  Ready run_cpu(const Stage& stage, const Ready& input) const {
    const double start = *std::max_element(input.begin(), input.end());
    return {start + stage.cycles * options_.clock_mhz};
  }

  struct Fetched {
    std::size_t operation;
    double total;
  };

  const Workload& workload_;
  const std::vector<OperationWork>& work_;
  const LatencyConstants& constants_;
  const ScheduleOptions& options_;
  std::vector<Ready> ready_;     ///< by operation: when the tiles of its results are there
  std::vector<double> threads_;  ///< when each vector thread is free
  std::vector<double> ended_;    ///< when all operations up to this one have ended
  std::vector<Fetched> fetched_bytes_;
  std::size_t oldest_ = 0;
  double matrix_free_ = 0.0;
  double dma_free_ = 0.0;
  double written_ = 0.0;  ///< end of the last transfer to DDR
  double last_end_ = 0.0;
  Timeline timeline_;
};

}  // namespace

Timeline schedule(const Workload& workload, const std::vector<OperationWork>& work,
                  const LatencyConstants& constants, const ScheduleOptions& options) {
  return Scheduler(workload, work, constants, options).run();
}

}  // namespace hexquant::perf
