#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/cli_testing.h"
#include "core/format.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class MixedPrecisionTest : public ProgramTest {
 protected:
  [[nodiscard]] static std::vector<std::string> digits(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"mixed-precision", example("model.onnx"),
                                          "--data",          example("calibration_images.npy"),
                                          "--preprocess",    example("preprocess.json"),
                                          "--samples",       "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  [[nodiscard]] Json json() const { return Json::parse(read_file(folder_ / "m.json")); }
};

TEST_F(MixedPrecisionTest, SearchesWidthsForALoss) {
  // sqnr has a loss here: the noise-to-signal ratio, 0.001 = 30 dB.
  const std::vector<std::string> arguments =
      digits({"--weight-bits", "4:all", "--metric", "sqnr", "--evaluate", "16", "--max-loss",
              "0.003", "-o", "out", "--json", "m.json"});
  const RunResult result = run(arguments);
  const Json found = json();
  EXPECT_THAT(test::schema_violations(test::published_schema("mixed-precision"), found), IsEmpty());
  const Json& points = found["points"];
  const Json& chosen = points[found["chosen"].get<std::size_t>()];
  EXPECT_EQ(points[0]["name"], "base");
  EXPECT_EQ(points[1]["name"], "all");
  EXPECT_GT(points[0]["loss"].get<double>(), 0.003);
  EXPECT_LE(chosen["loss"].get<double>(), 0.003);
  EXPECT_LT(chosen["predicted_us"].get<double>(), points[1]["predicted_us"].get<double>());
  EXPECT_THAT(result.out, HasSubstr("target            "));
  const Json recipe = Json::parse(read_file(folder_ / "out" / "recipe.json"));
  EXPECT_EQ(recipe["layer_bits"], chosen["layer_bits"]);
  for (const char* file : {"model.onnx", "overrides.json", "report.html", "pareto.json",
                           "pareto.csv", "pareto.svg", "sensitivity.json"}) {
    EXPECT_TRUE(std::filesystem::exists(folder_ / "out" / file)) << file;
  }
  const std::string page = read_file(folder_ / "out" / "report.html");
  EXPECT_THAT(page, HasSubstr("\"search\":{\"metric\":\"sqnr\""));
  EXPECT_THAT(page, HasSubstr("\"sensitivity\":{\"model\""));
  // What was evaluated is not evaluated again, and gives the same.
  const std::string csv = read_file(folder_ / "out" / "pareto.csv");
  EXPECT_EQ(run(arguments).status, result.status);
  EXPECT_EQ(read_file(folder_ / "out" / "pareto.csv"), csv);
}

TEST_F(MixedPrecisionTest, ScoresTheResultOnSamplesThatTheSearchHasNotSeen) {
  const RunResult result = run(digits({"--metric", "sqnr", "--evaluate", "16", "--max-loss", "0.5",
                                       "--max-evaluations", "2", "-o", "out", "--json", "m.json"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("over 16 samples that the search has not seen"));
  const Json kept = json()["final"]["kept_back"];
  ASSERT_EQ(kept["samples"], 16);
  // Behind 16 calibrated and 16 scored ones.
  const RunResult scores =
      run({"evaluate", "out/model.onnx", "--reference", example("model.onnx"), "--data",
           example("calibration_images.npy"), "--preprocess", example("preprocess.json"), "--skip",
           "32", "--samples", "16", "--metric", "sqnr", "--json", "e.json"});
  ASSERT_EQ(scores.status, 0) << scores.err;
  const Json summary = read_json(folder_ / "e.json")["summary"];
  EXPECT_NEAR(kept["sqnr_db"].get<double>(), summary["sqnr_db"].get<double>(), 1e-9);
  EXPECT_NE(kept["sqnr_db"], json()["final"]["sqnr_db"]);

  ASSERT_EQ(run(digits({"--metric", "sqnr", "--evaluate", "--max-loss", "0.5", "--max-evaluations",
                        "2", "-o", "all", "--json", "m.json"}))
                .status,
            0);
  EXPECT_TRUE(json()["final"]["kept_back"].is_null()) << "no samples are left";
}

TEST_F(MixedPrecisionTest, RanksOverFewSamplesAndScoresOverAll) {
  const RunResult result =
      run(digits({"--metric", "sqnr", "--evaluate", "--eval-data", example("test_images.npy"),
                  "--max-loss", "1", "--max-evaluations", "2", "-o", "out", "--json", "m.json"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(read_json(folder_ / "out" / "sensitivity.json")["samples"], 64);
  EXPECT_GT(json()["final"]["samples"].get<int>(), 64);
}

TEST_F(MixedPrecisionTest, KeepsToTheShareOfRaisedWeights) {
  const RunResult result =
      run(digits({"--weight-bits", "4:all", "--metric", "sqnr", "--evaluate", "16", "--max-loss",
                  "0.02", "--max-raised-weights", "0.5", "-o", "out", "--json", "m.json"}));
  const Json found = json();
  const Json& chosen = found["points"][found["chosen"].get<std::size_t>()];
  EXPECT_EQ(result.status, found["meets_target"].get<bool>() ? 0 : 1) << result.err;
  EXPECT_GT(chosen["raised_weight_share"].get<double>(), 0.0);
  EXPECT_LE(chosen["raised_weight_share"].get<double>(), 0.5);
  EXPECT_LT(chosen["loss"].get<double>(), found["points"][0]["loss"].get<double>());
}

TEST_F(MixedPrecisionTest, TheRatioRuleTakesTheFloorOfItsShare) {
  // 8 layers with weights: floor(0.3 * 8) = 2.
  const RunResult result = run(digits({"--labels", example("calibration_labels.npy"),
                                       "--int16-ratio", "0.3", "-o", "out", "--json", "m.json"}));
  ASSERT_EQ(result.status, 0) << result.err;
  const Json found = json();
  ASSERT_EQ(found["points"].size(), 2U);
  ASSERT_EQ(found["points"][1]["layer_bits"].size(), 2U);
  for (const Json& entry : found["points"][1]["layer_bits"]) {
    EXPECT_THAT(entry.get<std::string>(), HasSubstr("=w16a16"));
  }
  EXPECT_GT(found["points"][1]["sqnr_db"].get<double>(),
            found["points"][0]["sqnr_db"].get<double>());
}

TEST_F(MixedPrecisionTest, TheSnrRuleTakesWhatSensitivityMarks) {
  ASSERT_EQ(run({"sensitivity", example("model.onnx"), "--weights-only", "--snr-below", "40",
                 "--json", "w.json"})
                .status,
            0);
  const Json weights = Json::parse(read_file(folder_ / "w.json"))["weights"];
  const auto marked = std::count_if(weights.begin(), weights.end(),
                                    [](const Json& row) { return row["sensitive"].get<bool>(); });
  const RunResult result = run(digits({"--snr-below", "40", "-o", "out", "--json", "m.json"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(std::ssize(json()["points"][1]["layer_bits"]), marked);
}

TEST_F(MixedPrecisionTest, AnImpossibleTargetKeepsTheNearestModel) {
  const RunResult result =
      run(digits({"--metric", "sqnr", "--evaluate", "16", "--max-latency-us", "0.001",
                  "--max-evaluations", "3", "-o", "out", "--json", "m.json"}));
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_THAT(result.out, HasSubstr("target            missed"));
  EXPECT_FALSE(json()["meets_target"].get<bool>());
  EXPECT_EQ(json()["chosen"], 0) << "nothing is cheaper than the base";
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out" / "model.onnx"));
}

TEST_F(MixedPrecisionTest, BadInputIsOneLine) {
  expect_refused(run(digits({"--int16-ratio", "0.2", "--snr-below", "25", "-o", "out"})),
                 "--int16-ratio and --snr-below are two rules");
  expect_refused(run(digits({"--max-loss", "1"})), "no output folder given");
  write_file(folder_ / "few.txt", "1\n2\n");
  EXPECT_THAT(run(digits({"--max-loss", "1", "--labels", "few.txt", "-o", "o3"})).err,
              HasSubstr("few.txt"));
  const RunResult hangs = run(digits(
      {"--max-loss", "1", "--metric", "exec:sleep 60; true", "--time-limit", "0.2", "-o", "o4"}));
  EXPECT_EQ(hangs.status, 2);
  EXPECT_THAT(hangs.err, HasSubstr("did not end within 0.2 s"));
  // Nothing is calibrated before a component that was asked for is found to be missing.
  const RunResult none = run(digits({"--estimate", "-o", "o5"}),
                             "env HEXQUANT_QNN_ROOT= XDG_DATA_HOME=" + folder_.string());
  EXPECT_EQ(none.status, 3) << none.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "o5" / "sensitivity.journal"));
  write_file(folder_ / "s.json", "{\"model\": 1}");
  const RunResult result = run(digits({"--max-loss", "1", "--sensitivity", "s.json", "-o", "o2"}));
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("s.json: model: expected"));
}

}  // namespace
}  // namespace hexquant::cli
