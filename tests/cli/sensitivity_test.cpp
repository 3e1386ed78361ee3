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

class SensitivityTest : public ProgramTest {
 protected:
  /// The digits example with further options.
  [[nodiscard]] static std::vector<std::string> digits(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {
        "sensitivity",  example("model.onnx"),      "--data",    example("calibration_images.npy"),
        "--preprocess", example("preprocess.json"), "--samples", "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static std::string labels() { return example("calibration_labels.npy"); }
};

TEST_F(SensitivityTest, PrintsTheWorstLayersFirstAndFitsItsSchema) {
  const RunResult result =
      run(digits({"--labels", labels(), "--widths", "4,8,16,float", "--kinds",
                  "weights,activation,both", "--json", "s.json", "-o", "result"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("layer (worst first)"));
  EXPECT_THAT(result.out, HasSubstr("block (worst first)"));
  EXPECT_THAT(result.err, HasSubstr("passes a candidate"));
  const std::string text = read_file(folder_ / "s.json");
  EXPECT_EQ(read_file(folder_ / "result" / "sensitivity.json"), text);
  const Json json = Json::parse(text);
  EXPECT_THAT(test::schema_violations(test::published_schema("sensitivity"), json), IsEmpty());
  ASSERT_EQ(json["layers"].size(), 10U);
  const Json& stem = json["layers"][0];
  EXPECT_EQ(stem["candidates"].size(), 10U) << "three kinds of three widths, and float";
  EXPECT_GT(stem["candidates"][1]["sqnr_db"].get<double>(),
            stem["candidates"][0]["sqnr_db"].get<double>() + 12.0)
      << "8 bits against 4";
}

TEST_F(SensitivityTest, KilledAndRunAgainGivesTheSameBytes) {
  const std::vector<std::string> more = {"--labels", labels(), "--json", "s.json"};
  ASSERT_EQ(run(digits(more)).status, 0);
  const std::string expected = read_file(folder_ / "s.json");
  const std::string journal = read_file(folder_ / "s.json.journal");
  std::filesystem::remove(folder_ / "s.json");
  // What SIGKILL leaves behind: some whole lines and a part of one.
  std::size_t end = 0;
  for (int line = 0; line < 4; ++line) end = journal.find('\n', end) + 1;
  write_file(folder_ / "s.json.journal", journal.substr(0, end + 7));
  const RunResult again = run(digits(more));
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("(3 rows resumed)"));
  EXPECT_EQ(read_file(folder_ / "s.json"), expected);
}

TEST_F(SensitivityTest, WeightsOnlyMarksLayersBelowTheLimit) {
  const RunResult result = run({"sensitivity", example("model.onnx"), "--weights-only",
                                "--snr-below", "40", "--json", "w.json"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json json = Json::parse(read_file(folder_ / "w.json"));
  EXPECT_THAT(test::schema_violations(test::published_schema("sensitivity-weights"), json),
              IsEmpty());
  int marked = 0;
  for (const Json& row : json["weights"]) {
    EXPECT_EQ(row["sensitive"].get<bool>(), row["snr_db"].get<double>() < 40.0);
    marked += row["sensitive"].get<bool>() ? 1 : 0;
  }
  EXPECT_GT(marked, 0);
  EXPECT_THAT(result.out,
              HasSubstr(format("{} of {} layers below 40 dB", marked, json["weights"].size())));
}

TEST_F(SensitivityTest, BadInputIsOneLine) {
  expect_refused(run(digits({"--widths", "5"})), "--widths '5': expected 4, 8, 16 or float");
  expect_refused(run(digits({"--kinds", "bias"})), "unknown kind 'bias'");
  write_file(folder_ / "few.txt", "1\n2\n");
  expect_refused(run(digits({"--labels", "few.txt"})), "few.txt");
  expect_refused(run(digits({"--metric", "exec:false"})), "metric program 'false' failed");
  expect_refused(run(digits({"--metric", "exec:echo nonsense; true"})), "expected one finite");
  expect_refused(run(digits({"--metric", "exec:sleep 60; true", "--time-limit", "0.2"})),
                 "did not end within 0.2 s");
  write_file(folder_ / "notes.txt", "mine\n");
  expect_refused(run(digits({"--journal", "notes.txt"})), "notes.txt: line 1");
  expect_refused(run({"sensitivity", example("model.onnx")}), "no calibration data");
}

}  // namespace
}  // namespace hexquant::cli
