#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cli/cli_testing.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class AutoCommand : public ProgramTest {
 protected:
  [[nodiscard]] RunResult climb(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"auto",         example("model.onnx"),
                                          "--data",       example("calibration_images.npy"),
                                          "--preprocess", example("preprocess.json"),
                                          "--samples",    "64",
                                          "-o",           path("out")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  [[nodiscard]] std::vector<std::string> test_set() const {
    return {"--eval-data", example("test_images.npy"), "--labels", example("test_labels.npy")};
  }
  [[nodiscard]] RunResult climb_scored(std::vector<std::string> more) const {
    const std::vector<std::string> scored = test_set();
    more.insert(more.end(), scored.begin(), scored.end());
    return climb(more);
  }
  /// report.json, once it fits the published schema.
  [[nodiscard]] Json report() const {
    Json json = read_json_file(path("out/report.json"));
    EXPECT_THAT(test::schema_violations(test::published_schema("report"), json), IsEmpty());
    return json;
  }
  [[nodiscard]] static Json read_json_file(const std::string& file) {
    return parse_json(read_file(file), file);
  }
};

TEST_F(AutoCommand, StopsAtTheFirstRungThatIsGoodEnough) {
  const RunResult run = climb_scored({"--max-loss", "2"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("not needed: the target is met"));
  const Json json = report();
  EXPECT_EQ(json["command"], "auto");
  const Json& rungs = json["rungs"];
  ASSERT_GE(rungs.size(), 3U);
  EXPECT_EQ(rungs[0]["method"], "ptq");
  EXPECT_TRUE(rungs[0]["chosen"].get<bool>());
  EXPECT_GT(rungs[0]["predicted_us"].get<double>(), 0.0);
  EXPECT_LE(rungs[0]["loss"].get<double>(), 0.02);
  EXPECT_FALSE(rungs[1]["ran"].get<bool>());
  EXPECT_TRUE(std::filesystem::exists(path("out/model.onnx")));
  EXPECT_THAT(read_file(path("out/report.html")), HasSubstr("ladderSection"));
}

/// Without labels the noise is what counts: 1 point of it is an SQNR of 20 dB.
TEST_F(AutoCommand, MeetsATargetWithoutLabels) {
  const RunResult met = climb({"--max-loss", "0.1"});
  ASSERT_EQ(met.status, 0) << met.out << met.err;
  const Json rungs = report()["rungs"];
  EXPECT_TRUE(rungs[0]["chosen"].get<bool>());
  EXPECT_GT(rungs[0]["loss"].get<double>(), 0.0);
  EXPECT_NEAR(rungs[0]["loss"].get<double>(),
              std::pow(10.0, -rungs[0]["value"].get<double>() / 10.0), 1e-6);
  EXPECT_FALSE(rungs[1]["ran"].get<bool>());
}

TEST_F(AutoCommand, ClimbsUntilTheTargetIsMetAndSaysWhy) {
  // A cosine that nearest rounding of 4-bit weights with one scale a tensor does not reach.
  const RunResult run = climb_scored({"--weight-bits", "4:all", "--granularity", "tensor",
                                      "--metric", "cosine", "--max-loss", "1.5"});
  const Json rungs = report()["rungs"];
  EXPECT_FALSE(rungs[0]["meets_target"].get<bool>());
  EXPECT_TRUE(rungs[1]["ran"].get<bool>());
  EXPECT_LT(rungs[1]["loss"].get<double>(), rungs[0]["loss"].get<double>());
  EXPECT_THAT(rungs[1]["reason"].get<std::string>(), HasSubstr("ptq loses"));
  EXPECT_EQ(run.status, 0) << run.out << run.err;
}

TEST_F(AutoCommand, AnImpossibleTargetGivesTheBestAndTheLayersToBlame) {
  const RunResult run =
      climb_scored({"--weight-bits", "4:all", "--metric", "cosine", "--max-loss", "0"});
  EXPECT_EQ(run.status, 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr("layers that depart most"));
  const Json json = report();
  double least = 1.0;
  double chosen = -1.0;
  for (const Json& rung : json["rungs"]) {
    EXPECT_FALSE(rung["meets_target"].get<bool>());
    least = std::min(least, rung["loss"].get<double>());
    if (rung["chosen"].get<bool>()) chosen = rung["loss"].get<double>();
  }
  EXPECT_EQ(chosen, least);
  EXPECT_TRUE(std::filesystem::exists(path("out/model.onnx")));
}

TEST_F(AutoCommand, WarnsOfSamplesThatAreCalibratedAndScored) {
  const RunResult run = climb({"--eval-data", example("calibration_images.npy"), "--labels",
                               example("calibration_labels.npy"), "--max-loss", "5"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("64 of"));
  EXPECT_THAT(run.err, HasSubstr("evaluation-overlaps-calibration"));
}

TEST_F(AutoCommand, ATimeLimitLeavesOutWhatFollows) {
  const RunResult run = climb_scored({"--weight-bits", "4:all", "--metric", "cosine", "--max-loss",
                                      "0", "--max-seconds", "0.001"});
  EXPECT_EQ(run.status, 1) << run.err;
  const Json rungs = report()["rungs"];
  EXPECT_TRUE(rungs[0]["ran"].get<bool>());
  EXPECT_FALSE(rungs[1]["ran"].get<bool>());
  EXPECT_THAT(rungs[1]["reason"].get<std::string>(), HasSubstr("not started"));
}

TEST_F(AutoCommand, RefusesWhatHasNoLoss) {
  expect_refused(climb({"--metric", "sqnr"}), "sqnr has no loss");
  const RunResult labels = climb(
      {"--eval-data", example("test_images.npy"), "--labels", example("calibration_labels.npy")});
  EXPECT_EQ(labels.status, 2);
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

}  // namespace
}  // namespace hexquant::cli
