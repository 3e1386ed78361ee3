#include "runtime/repeated_run.h"

#include <algorithm>
#include <map>

#include "core/stopwatch.h"

namespace hexquant::runtime {
namespace {

class Repetition {
 public:
  Repetition(RepeatedModel& model, const AfterRun& after) : model_(model), after_(after) {}

  /// One timed inference. @return microseconds
  double run(std::int64_t index, std::int64_t set) {
    model_.load(set);
    Stopwatch watch;
    model_.run();
    const double microseconds = watch.lap_seconds() * 1e6;
    const std::uint64_t fingerprint = model_.fingerprint();
    const auto [first, is_first] = fingerprints_.emplace(set, fingerprint);
    differs_ = !is_first && first->second != fingerprint;
    if (after_) after_(index, set);
    return microseconds;
  }
  [[nodiscard]] bool differs() const noexcept { return differs_; }

 private:
  RepeatedModel& model_;
  const AfterRun& after_;
  std::map<std::int64_t, std::uint64_t> fingerprints_;
  bool differs_ = false;
};

/// The last of the warm-up is nearest to what comes.
void announce(const RepeatOptions& options, const std::vector<double>& warmup_us) {
  if (!options.announce || warmup_us.empty()) return;
  double seconds = warmup_us.back() * 1e-6 * static_cast<double>(options.runs);
  if (options.duration_s > 0.0) seconds = std::min(seconds, options.duration_s);
  options.announce(seconds);
}

}  // namespace

std::int64_t RepeatResult::memory_growth_bytes() const {
  return std::max<std::int64_t>(after.resident_bytes - early_resident_bytes, 0);
}

RepeatResult run_repeatedly(RepeatedModel& model, const RepeatOptions& options,
                            ProgressSink& progress, const AfterRun& after) {
  RepeatResult result;
  Repetition repetition(model, after);
  const Stopwatch total;
  const std::int64_t sets = model.sets();
  if (options.warmup > 0) {
    ProgressStage stage(progress, "warm-up", options.warmup);
    for (std::int64_t i = 0; i < options.warmup; ++i) {
      result.warmup_us.push_back(repetition.run(i - options.warmup, i % sets));
      stage.step();
    }
  }
  announce(options, result.warmup_us);
  result.before = read_machine_state();
  result.early_resident_bytes = result.before.resident_bytes;
  // Room for the figures now, so that they are no growth later.
  constexpr std::int64_t kReserved = 1 << 20;
  result.run_us.reserve(static_cast<std::size_t>(std::min(options.runs, kReserved)));
  const Stopwatch clock;
  ProgressStage stage(progress, "inferences", options.runs);
  for (std::int64_t i = 0; i < options.runs; ++i) {
    if (options.duration_s > 0.0 && clock.total_seconds() >= options.duration_s) break;
    result.run_us.push_back(repetition.run(i, i % sets));
    if (repetition.differs()) {
      if (result.differing == 0) result.first_differing = i;
      ++result.differing;
    }
    if (i == options.runs / 10) {
      result.early_resident_bytes = read_machine_state().resident_bytes;
    }
    stage.step();
  }
  result.after = read_machine_state();
  result.seconds = total.total_seconds();
  return result;
}

}  // namespace hexquant::runtime
