#include "cli/terminal_progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>

#include "core/format.h"

namespace hexquant::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_interrupt(int signal_number) {
  if (interrupted != 0) {
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
  }
  interrupted = 1;
}

class TerminalProgress final : public ProgressSink {
 public:
  void begin(const std::string& stage, std::int64_t total) override {
    stage_ = stage;
    total_ = total;
    start_ = Clock::now();
    drawn_ = {};
    note_.clear();
    draw(0);
  }

  void update(std::int64_t done) override {
    const auto now = Clock::now();
    if (now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    draw(done);
  }

  void note(const std::string& text) override { note_ = text; }

  void end() override {
    if (visible_) std::fputs("\r\033[K", stderr);
  }

  [[nodiscard]] bool cancelled() const override { return interrupted != 0; }

 private:
  using Clock = std::chrono::steady_clock;

  void draw(std::int64_t done) const {
    if (!visible_) return;
    constexpr int kWidth = 30;
    const double share =
        total_ > 0 ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total_)) : 0.0;
    const auto filled = static_cast<std::size_t>(share * kWidth);
    const double elapsed_s = std::chrono::duration<double>(Clock::now() - start_).count();
    std::string left;
    if (done > 0 && total_ > done) {
      left = format(" {:.0f} s left",
                    elapsed_s / static_cast<double>(done) * static_cast<double>(total_ - done));
    }
    const std::string line = format("\r\033[K{:<12} [{}{}] {}/{}{}{}", stage_,
                                    std::string(filled, '#'), std::string(kWidth - filled, '.'),
                                    done, total_, left, note_.empty() ? "" : "  " + note_);
    std::fputs(line.c_str(), stderr);
  }

  const bool visible_ = ::isatty(STDERR_FILENO) != 0;
  std::string stage_;
  std::string note_;
  std::int64_t total_ = 0;
  Clock::time_point start_;
  Clock::time_point drawn_;
};

}  // namespace

ProgressSink& terminal_progress() {
  static TerminalProgress progress;
  return progress;
}

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace hexquant::cli
