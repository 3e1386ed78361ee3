#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace hexquant {

/// Receives the progress of long work. Calls may come from any thread, one at a time.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  /// A stage begins. @param total  number of steps; 0 = unknown
  virtual void begin(const std::string& stage, std::int64_t total) = 0;
  /// `done` of the steps announced by begin() are finished.
  virtual void update(std::int64_t done) = 0;
  /// A few words on how the stage is doing ("loss 0.12"), shown beside its progress.
  virtual void note(const std::string& /*text*/) {}
  virtual void end() = 0;
  /// True once the user asked to stop: work ends with Error(kCancelled) at the next step.
  [[nodiscard]] virtual bool cancelled() const { return false; }
};

/// A sink that shows nothing and never cancels.
[[nodiscard]] ProgressSink& silent_progress();

/// Begins a stage and ends it on scope exit; `step()` is safe to call from several threads.
class ProgressStage {
 public:
  ProgressStage(ProgressSink& sink, const std::string& stage, std::int64_t total);
  ~ProgressStage();
  ProgressStage(const ProgressStage&) = delete;
  ProgressStage& operator=(const ProgressStage&) = delete;
  /// More steps done. @throws Error(kCancelled) when the user asked to stop.
  void step(std::int64_t count = 1);

 private:
  ProgressSink& sink_;
  std::string stage_;
  std::atomic<std::int64_t> done_{0};
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

}  // namespace hexquant
