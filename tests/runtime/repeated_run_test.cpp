#include "runtime/repeated_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "hexquant/error.h"

namespace hexquant::runtime {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

/// Answers with its set, and with something else at run `odd`.
class FakeModel final : public RepeatedModel {
 public:
  explicit FakeModel(std::int64_t sets) : sets_(sets) {}
  [[nodiscard]] std::int64_t sets() const override { return sets_; }
  void load(std::int64_t set) override { set_ = set; }
  void run() override {
    if (sleep_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms));
    order.push_back(set_);
    ++runs_;
  }
  [[nodiscard]] std::uint64_t fingerprint() const override {
    return static_cast<std::uint64_t>(set_ * 10 + (runs_ == odd ? 1 : 0));
  }

  std::vector<std::int64_t> order;
  int odd = -1;
  int sleep_ms = 0;

 private:
  std::int64_t sets_;
  std::int64_t set_ = 0;
  int runs_ = 0;
};

class Cancelled final : public ProgressSink {
 public:
  void begin(const std::string& /*stage*/, std::int64_t /*total*/) override {}
  void update(std::int64_t /*done*/) override { ++steps_; }
  void end() override {}
  [[nodiscard]] bool cancelled() const override { return steps_ >= 3; }

 private:
  int steps_ = 0;
};

TEST(RepeatedRun, TakesSetAfterSetAndKeepsTheWarmUpApart) {
  FakeModel model(3);
  std::vector<std::int64_t> indices;
  const RepeatResult result =
      run_repeatedly(model, {.runs = 5, .warmup = 2}, silent_progress(),
                     [&](std::int64_t index, std::int64_t) { indices.push_back(index); });
  EXPECT_THAT(model.order, ElementsAre(0, 1, 0, 1, 2, 0, 1));
  EXPECT_THAT(indices, ElementsAre(-2, -1, 0, 1, 2, 3, 4));
  EXPECT_THAT(result.run_us, SizeIs(5));
  EXPECT_THAT(result.warmup_us, SizeIs(2));
  EXPECT_EQ(result.differing, 0);
}

TEST(RepeatedRun, FindsTheInferenceThatDiffers) {
  FakeModel model(2);
  model.odd = 6;  // the fourth run behind two of warm-up
  const RepeatResult result = run_repeatedly(model, {.runs = 10, .warmup = 2}, silent_progress());
  EXPECT_EQ(result.differing, 1);
  EXPECT_EQ(result.first_differing, 3);
}

TEST(RepeatedRun, StopsAfterTheDuration) {
  FakeModel model(1);
  model.sleep_ms = 5;
  const RepeatResult result =
      run_repeatedly(model, {.runs = 1'000'000, .duration_s = 0.05}, silent_progress());
  EXPECT_GE(result.run_us.size(), 1U);
  EXPECT_LE(result.run_us.size(), 11U);
}

TEST(RepeatedRun, AnnouncesHowLongItWillTake) {
  FakeModel model(1);
  model.sleep_ms = 10;
  double announced = 0.0;
  RepeatOptions options{.runs = 4, .warmup = 1};
  options.announce = [&](double seconds) { announced = seconds; };
  (void)run_repeatedly(model, options, silent_progress());
  EXPECT_GE(announced, 0.04);
  options.duration_s = 0.01;
  (void)run_repeatedly(model, options, silent_progress());
  EXPECT_DOUBLE_EQ(announced, 0.01);
}

TEST(RepeatedRun, EndsWhenTheUserAsks) {
  FakeModel model(1);
  Cancelled progress;
  EXPECT_THROW((void)run_repeatedly(model, {.runs = 100}, progress), Error);
  EXPECT_LT(model.order.size(), 10U);
}

}  // namespace
}  // namespace hexquant::runtime
