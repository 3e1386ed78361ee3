#include "hexquant/progress.h"

#include "hexquant/error.h"

namespace hexquant {
namespace {

class SilentProgress final : public ProgressSink {
 public:
  void begin(const std::string& /*stage*/, std::int64_t /*total*/) override {}
  void update(std::int64_t /*done*/) override {}
  void end() override {}
};

}  // namespace

ProgressSink& silent_progress() {
  static SilentProgress sink;
  return sink;
}

ProgressStage::ProgressStage(ProgressSink& sink, const std::string& stage, std::int64_t total)
    : sink_(sink), stage_(stage) {
  sink_.begin(stage_, total);
}

ProgressStage::~ProgressStage() {
  sink_.end();
}

void ProgressStage::step(std::int64_t count) {
  if (sink_.cancelled()) throw Error(ErrorCode::kCancelled, "stopped during " + stage_);
  const std::int64_t done = done_ += count;
  // A thread that finds the sink busy skips the drawing; it never waits.
  if (busy_.test_and_set(std::memory_order_acquire)) return;
  sink_.update(done);
  busy_.clear(std::memory_order_release);
}

}  // namespace hexquant
