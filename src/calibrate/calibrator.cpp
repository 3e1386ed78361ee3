#include "calibrate/calibrator.h"

#include <memory>
#include <mutex>
#include <utility>

#include "calibrate/channel_accumulator.h"
#include "calibrate/gram_accumulator.h"
#include "calibrate/row_maxima.h"
#include "calibrate/value_accumulator.h"
#include "core/format.h"
#include "core/parallel.h"
#include "hexquant/error.h"
#include "runtime/tap_session.h"

namespace hexquant::calibrate {
namespace {

using graph::Graph;
using runtime::TapView;

/// What is gathered about one value of the tap session.
struct ValueTask {
  std::string name;
  bool statistics = false;  // false: only input of a Gram matrix
  bool histogram = false;
  bool row_maxima = false;
  std::unique_ptr<ChannelAccumulator> channels;
  std::vector<std::unique_ptr<GramAccumulator>> grams;
  std::vector<std::string> gram_nodes;
};

/// What one thread gathers on its own: sums that are exact, so their order is free.
struct Worker {
  explicit Worker(const std::vector<ValueTask>& tasks) : count(std::make_unique<CountScratch>()) {
    for (const ValueTask& task : tasks) values.emplace_back(task.histogram);
    rows.resize(tasks.size());
  }
  std::vector<ValueAccumulator> values;
  std::vector<RowMaxima> rows;
  std::unique_ptr<CountScratch> count;
  GramScratch gram;
};

std::vector<ValueTask> make_tasks(const Graph& graph, const std::map<std::string, Tap>& taps,
                                  const std::vector<GramRequest>& grams, std::uint64_t seed) {
  std::vector<ValueTask> tasks;
  std::map<std::string, std::size_t> index;
  const auto task_of = [&](const std::string& name) -> ValueTask& {
    const auto [found, added] = index.emplace(name, tasks.size());
    if (added) tasks.push_back({name, false, false, false, nullptr, {}, {}});
    return tasks[found->second];
  };
  for (const auto& [name, tap] : taps) {
    ValueTask& task = task_of(name);
    task.statistics = true;
    task.histogram = tap.histogram;
    task.row_maxima = tap.row_maxima;
    if (tap.channel_moments) {
      task.channels = std::make_unique<ChannelAccumulator>(name, tap.channel_axis);
    }
  }
  for (const GramRequest& request : grams) {
    auto gram = std::make_unique<GramAccumulator>(graph, request, seed);
    ValueTask& task = task_of(gram->input());
    task.grams.push_back(std::move(gram));
    task.gram_nodes.push_back(request.node);
  }
  return tasks;
}

/// Adds the elements of a view, without the padding of the blocked layout.
void add_values(const TapView& view, ValueAccumulator& values, CountScratch& scratch) {
  const std::int64_t block = view.channel_block;
  const std::int64_t elements = element_count(view.shape);
  const std::int64_t lanes = block == 1 ? 0 : view.shape[1] % block;
  if (lanes == 0) return values.add(view.floats(), static_cast<std::size_t>(elements), scratch);
  const std::int64_t plane = view.shape[2] * view.shape[3];
  const std::int64_t full = view.shape[1] / block * block * plane;
  const float* next = view.floats();
  for (std::int64_t n = 0; n < view.shape[0]; ++n) {
    if (full > 0) values.add(next, static_cast<std::size_t>(full), scratch);
    values.add_lanes(next + full, static_cast<std::size_t>(plane), static_cast<std::size_t>(lanes),
                     static_cast<std::size_t>(block), scratch);
    next += full + plane * block;
  }
}

/// One calibration: the session, what is gathered, and the threads' own parts.
class Calibration {
 public:
  Calibration(const Graph& graph, const data::Dataset& dataset, std::vector<ValueTask> tasks)
      : dataset_(dataset), tasks_(std::move(tasks)), session_(graph, names()) {}

  void run(int threads, ProgressSink& progress) {
    ProgressStage stage(progress, "calibrate", dataset_.size());
    parallel_for(dataset_.size(), threads, [&](std::int64_t sample) {
      try {
        run_sample(sample);
        stage.step();
      } catch (...) {
        fail(sample);
        throw;
      }
    });
  }

  [[nodiscard]] quant::Statistics finish() {
    quant::Statistics statistics;
    statistics.samples = dataset_.size() * dataset_.batch_size();
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      ValueTask& task = tasks_[i];
      for (std::size_t g = 0; g < task.grams.size(); ++g) {
        statistics.grams.emplace(task.gram_nodes[g], task.grams[g]->finish());
      }
      if (task.statistics) statistics.values.emplace(task.name, value_statistics(i));
    }
    return statistics;
  }

 private:
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const ValueTask& task : tasks_) names.push_back(task.name);
    return names;
  }

  void run_sample(std::int64_t sample) {
    std::unique_ptr<Worker> worker = take_worker();
    const data::Sample feeds = dataset_.load(sample);
    session_.run(feeds, [&](const TapView& view) { add(view, sample, *worker); });
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(worker));
  }

  void add(const TapView& view, std::int64_t sample, Worker& worker) {
    ValueTask& task = tasks_[view.index];
    if (view.dtype != DType::kFloat32) {
      throw Error(ErrorCode::kUnsupported,
                  format("value '{}' is {}: only float32 values have statistics", task.name,
                         dtype_name(view.dtype)));
    }
    if (task.statistics) add_values(view, worker.values[view.index], *worker.count);
    if (task.row_maxima) worker.rows[view.index].add(view);
    if (task.channels) task.channels->add(view, sample);
    for (const auto& gram : task.grams) gram->add(view, sample, worker.gram);
  }

  void fail(std::int64_t sample) {
    for (ValueTask& task : tasks_) {
      if (task.channels) task.channels->fail(sample);
      for (const auto& gram : task.grams) gram->fail(sample);
    }
  }

  [[nodiscard]] std::unique_ptr<Worker> take_worker() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Worker>(tasks_);
    std::unique_ptr<Worker> worker = std::move(idle_.back());
    idle_.pop_back();
    return worker;
  }

  [[nodiscard]] quant::ValueStatistics value_statistics(std::size_t index) {
    const ValueTask& task = tasks_[index];
    ValueAccumulator total(task.histogram);
    RowMaxima rows;
    for (const auto& worker : idle_) {
      total.merge(worker->values[index]);
      rows.merge(worker->rows[index]);
    }
    quant::ValueStatistics statistics = total.finish();
    if (statistics.count == 0) {
      throw Error(
          ErrorCode::kInvalidData,
          format("value '{}' had no finite element in {} calibration samples ({} NaN or "
                 "infinite)",
                 task.name, dataset_.size() * dataset_.batch_size(), statistics.non_finite_count));
    }
    if (task.channels) statistics.channels = task.channels->moments();
    if (task.row_maxima) rows.finish(statistics);
    return statistics;
  }

  const data::Dataset& dataset_;
  std::vector<ValueTask> tasks_;
  runtime::TapSession session_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> idle_;  // at the end: all of them
};

}  // namespace

quant::Statistics calibrate(const Graph& graph, const data::Dataset& dataset,
                            const std::map<std::string, Tap>& taps,
                            const std::vector<GramRequest>& grams,
                            const CalibrationOptions& options, ProgressSink& progress) {
  Calibration calibration(graph, dataset, make_tasks(graph, taps, grams, options.seed));
  calibration.run(options.threads, progress);
  return calibration.finish();
}

}  // namespace hexquant::calibrate
