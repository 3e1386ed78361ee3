#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/machine_state.h"
#include "hexquant/progress.h"

namespace hexquant::runtime {

/// A loaded model with one or several sets of inputs.
class RepeatedModel {
 public:
  virtual ~RepeatedModel() = default;
  [[nodiscard]] virtual std::int64_t sets() const = 0;
  /// Before the clock starts: reads the set from where it lies.
  virtual void load(std::int64_t set) = 0;
  /// One inference on the set that was loaded. @throws Error
  virtual void run() = 0;
  /// A number made of every byte of the outputs.
  [[nodiscard]] virtual std::uint64_t fingerprint() const = 0;

 protected:
  RepeatedModel() = default;
  RepeatedModel(const RepeatedModel&) = default;
  RepeatedModel& operator=(const RepeatedModel&) = default;
};

struct RepeatOptions {
  std::int64_t runs = 1;    ///< inferences at most, after the warm-up
  double duration_s = 0.0;  ///< no further inference after this time; 0 = no limit
  std::int64_t warmup = 0;  ///< inferences before, apart from the figures
  /// Told once, before the first run behind the warm-up, how long all of them will take. Without a
  /// warm-up nothing is known then, and it is not called.
  std::function<void(double seconds)> announce = {};
};

struct RepeatResult {
  std::vector<double> warmup_us;
  std::vector<double> run_us;
  double seconds = 0.0;  ///< of all of it, loading and checks included
  /// Inferences whose outputs differ in any byte from the first of the same set.
  std::int64_t differing = 0;
  std::int64_t first_differing = -1;  ///< index among the runs
  MachineState before;                ///< after the warm-up
  /// After a tenth of the runs: memory that grows only at the start is no leak.
  std::int64_t early_resident_bytes = 0;
  MachineState after;
  /// Growth of the process between that tenth and the end; 0 when it shrank.
  [[nodiscard]] std::int64_t memory_growth_bytes() const;
};

/// Told after each inference, warm-up included (its index is below 0).
using AfterRun = std::function<void(std::int64_t index, std::int64_t set)>;

/// Runs a model again and again, set after set in turn, and compares the outputs of every
/// inference with those of the first one on the same set.
/// @throws Error(kCancelled) when the user asked to stop, and what the model throws
[[nodiscard]] RepeatResult run_repeatedly(RepeatedModel& model, const RepeatOptions& options,
                                          ProgressSink& progress, const AfterRun& after = {});

}  // namespace hexquant::runtime
