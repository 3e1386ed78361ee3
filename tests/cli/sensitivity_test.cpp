#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/cli_testing.h"
#include "core/child_process.h"
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

TEST_F(SensitivityTest, IsASectionOfThePageInTheSameFolder) {
  const std::vector<std::string> quantize = {"quantize",     example("model.onnx"),
                                             "--data",       example("calibration_images.npy"),
                                             "--preprocess", example("preprocess.json"),
                                             "--samples",    "16",
                                             "-o",           "result"};
  const auto page_has = [&] {
    return read_file(folder_ / "result" / "report.html").find("\"sensitivity\":{\"model\"") !=
           std::string::npos;
  };
  ASSERT_EQ(run(quantize).status, 0);
  EXPECT_FALSE(page_has());
  ASSERT_EQ(run(digits({"--labels", labels(), "-o", "result"})).status, 0);
  EXPECT_TRUE(page_has());
  // Quantized again: what was measured before still holds for the same model.
  ASSERT_EQ(run(quantize).status, 0);
  EXPECT_TRUE(page_has());
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

TEST_F(SensitivityTest, KilledInTheMiddleGoesOnAndGivesTheSameTable) {
  // A metric that depends on the outputs and leaves time to be interrupted.
  write_file(folder_ / "score.sh", "sleep 0.03; cksum < $1/output_0/000003.npy | cut -c1-3\n");
  const auto arguments = [&](const std::string& result) {
    return digits({"--metric", "exec:sh score.sh", "--json", result});
  };
  ASSERT_EQ(run(arguments("whole.json")).status, 0);
  ChildOptions options{.arguments = {HEXQUANT_PROGRAM}, .working_folder = folder_};
  for (const std::string& argument : arguments("s.json")) options.arguments.push_back(argument);
  const auto finished_rows = [&] {
    const std::filesystem::path journal = folder_ / "s.json.journal";
    if (!std::filesystem::exists(journal)) return std::ptrdiff_t{0};
    const std::string text = read_file(journal);
    return std::count(text.begin(), text.end(), '\n') - 1;
  };
  ChildProcess child(options);
  while (finished_rows() < 3 && child.step()) {
  }
  child.finish();  // SIGKILL
  EXPECT_EQ(child.ending(), "killed by signal 9 (Killed)");
  const std::ptrdiff_t kept = finished_rows();
  ASSERT_GE(kept, 3);
  ASSERT_FALSE(std::filesystem::exists(folder_ / "s.json"));
  const RunResult again = run(arguments("s.json"));
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr(format("({} rows resumed)", kept)));
  EXPECT_EQ(read_file(folder_ / "s.json"), read_file(folder_ / "whole.json"));
}

TEST_F(SensitivityTest, APluginScoresTheCandidates) {
  const std::string plugin = std::string("so:") + HEXQUANT_METRIC_PLUGINS + "/rate.so";
  std::string text;
  const Tensor labels_of_digits = data::read_npy(labels());
  for (std::int64_t i = 0; i < 16; ++i) {
    text += format("{}\n", labels_of_digits.data<std::int64_t>()[static_cast<std::size_t>(i)]);
  }
  write_file(folder_ / "labels.txt", text);
  const std::vector<std::string> widths = {"--widths", "4", "--kinds", "both", "--json", "s.json"};
  const auto losses = [&](const std::string& metric, const std::string& given) {
    std::vector<std::string> more = {"--metric", metric, "--labels", given};
    more.insert(more.end(), widths.begin(), widths.end());
    const RunResult result = run(digits(more));
    EXPECT_EQ(result.status, 0) << result.err;
    std::vector<double> values;
    const Json json = Json::parse(read_file(folder_ / "s.json"));
    for (const Json& row : json["layers"]) {
      for (const Json& one : row["candidates"]) values.push_back(one["loss"].get<double>());
    }
    EXPECT_GE(values.size(), 8U);
    return values;
  };
  EXPECT_EQ(losses(plugin, "labels.txt"), losses("top1", labels()));
}

TEST_F(SensitivityTest, WhatIsFinishedOutlivesAFailingMetric) {
  // Fails for the fourth candidate; works the next time.
  write_file(folder_ / "score.sh",
             "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count\n"
             "[ $n -eq 4 ] && exit 9; cksum < $1/output_0/000003.npy | cut -c1-3\n");
  const std::vector<std::string> arguments =
      digits({"--metric", "exec:sh score.sh", "--json", "s.json"});
  const RunResult failed = run(arguments);
  EXPECT_EQ(failed.status, 2);
  EXPECT_THAT(failed.err, HasSubstr("exit status 9"));
  const RunResult again = run(arguments);
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("rows resumed)"));
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
  const std::string plugins = std::string("so:") + HEXQUANT_METRIC_PLUGINS;
  expect_refused(run(digits({"--metric", plugins + "/other_version.so"})), "is 99, expected 1");
  expect_refused(run(digits({"--metric", plugins + "/no_begin.so"})), "has no function");
  expect_refused(run(digits({"--metric", "so:none.so"})), "none.so: cannot be loaded");
  for (const auto& [word, message] :
       {std::pair("crash", "killed by signal 6"), std::pair("nan", "gave nan")}) {
    write_file(folder_ / "word.txt", word);
    expect_refused(run(digits({"--metric", plugins + "/rate.so", "--labels", "word.txt"})),
                   message);
  }
  write_file(folder_ / "notes.txt", "mine\n");
  expect_refused(run(digits({"--journal", "notes.txt"})), "notes.txt: line 1");
  expect_refused(run({"sensitivity", example("model.onnx")}), "no calibration data");
}

}  // namespace
}  // namespace hexquant::cli
