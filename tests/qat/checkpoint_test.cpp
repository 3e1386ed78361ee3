#include "qat/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/file_io.h"
#include "hexquant/error.h"
#include "support/temp_folder.h"

namespace hexquant::qat {
namespace {

using ::testing::HasSubstr;

TrainState some_state() {
  TrainState state;
  state.step = 41;
  state.loss_sum = 0.1 + 0.2;  // no short decimal
  state.seconds = 12.5;
  state.train_seconds = 1.0 / 3.0;
  state.best_epoch = 1;
  state.stopped = "no improvement in 2 epochs";
  state.curve = {{.epoch = 0, .loss = std::numeric_limits<double>::quiet_NaN(), .value = 0.5},
                 {.epoch = 1, .steps = 20, .loss = 1.0 / 7.0, .value = 0.75, .is_best = true}};
  state.values["weight/w"] = torch::arange(6, torch::kFloat32).reshape({2, 3});
  state.best_values["weight/w"] = torch::ones({2, 3});
  state.optimizer_state["momentum/weight/w"] = torch::full({2, 3}, 0.1F);
  return state;
}

std::string refusal(const std::filesystem::path& path, const std::string& digest) {
  try {
    static_cast<void>(read_checkpoint(path, digest));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    return error.what();
  }
  return "accepted";
}

TEST(Checkpoint, HoldsEverything) {
  const test::TempFolder folder;
  const auto path = folder.path() / "checkpoint";
  const TrainState state = some_state();
  write_checkpoint(path, state, "d1");
  const TrainState read = read_checkpoint(path, "d1");
  EXPECT_EQ(read.step, state.step);
  EXPECT_EQ(read.loss_sum, state.loss_sum);
  EXPECT_EQ(read.train_seconds, state.train_seconds);
  EXPECT_EQ(read.best_epoch, 1);
  EXPECT_EQ(read.stopped, state.stopped);
  ASSERT_EQ(read.curve.size(), 2U);
  EXPECT_TRUE(std::isnan(read.curve[0].loss));
  EXPECT_EQ(read.curve[1].loss, state.curve[1].loss);
  EXPECT_TRUE(read.curve[1].is_best);
  EXPECT_TRUE(torch::equal(read.values.at("weight/w"), state.values.at("weight/w")));
  EXPECT_TRUE(torch::equal(read.best_values.at("weight/w"), state.best_values.at("weight/w")));
  EXPECT_TRUE(torch::equal(read.optimizer_state.at("momentum/weight/w"),
                           state.optimizer_state.at("momentum/weight/w")));
}

TEST(Checkpoint, OfAnotherRunIsRefused) {
  const test::TempFolder folder;
  const auto path = folder.path() / "checkpoint";
  write_checkpoint(path, some_state(), "d1");
  EXPECT_THAT(refusal(path, "d2"), HasSubstr("--restart"));
}

TEST(Checkpoint, ADamagedOneIsRefused) {
  const test::TempFolder folder;
  const auto path = folder.path() / "checkpoint";
  write_checkpoint(path, some_state(), "d1");
  std::string bytes = read_file(path);
  bytes.pop_back();
  write_file(path, bytes);
  EXPECT_THAT(refusal(path, "d1"), HasSubstr("cut short"));
}

}  // namespace
}  // namespace hexquant::qat
