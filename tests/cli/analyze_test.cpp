#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class AnalyzeCommand : public ProgramTest {
 protected:
  /// Machine result of `arguments`, once it fits the published schema.
  [[nodiscard]] Json result(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--json", "-"});
    const RunResult run = this->run(arguments);
    EXPECT_EQ(run.status, 0) << run.err;
    Json json = Json::parse(run.out);
    EXPECT_THAT(test::schema_violations(test::published_schema(arguments[0]), json), IsEmpty());
    return json;
  }
};

TEST_F(AnalyzeCommand, PartsAddUpToTheWhole) {
  const Json json = result({"analyze", example("model.onnx"), "--soc", "SA8255"});
  EXPECT_EQ(json["soc"], "SA8255");
  EXPECT_FALSE(json["is_measurement"].get<bool>());
  const Json& total = json["total"];
  double time_us = 0.0;
  std::int64_t macs = 0;
  for (const Json& layer : json["layers"]) {
    time_us += layer["time_us"].get<double>();
    macs += layer["macs"].get<std::int64_t>();
  }
  EXPECT_NEAR(time_us, total["time_us"].get<double>(), 0.01 * time_us + 0.01);
  EXPECT_EQ(macs, total["macs"].get<std::int64_t>());
  EXPECT_GT(macs, 0);
  EXPECT_LT(total["lower_us"].get<double>(), total["time_us"].get<double>());
  EXPECT_GT(total["upper_us"].get<double>(), total["time_us"].get<double>());
  EXPECT_GT(json["model_error"]["micro_cases"].get<int>(), 0);
}

TEST_F(AnalyzeCommand, PrintsATableAndWritesAPage) {
  const RunResult run = this->run(
      {"analyze", example("model.onnx"), "--what-if", "all", "--report", path("analysis.html")});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("how sure"));
  EXPECT_THAT(run.out, HasSubstr("what if"));
  EXPECT_THAT(run.out, HasSubstr("Conv"));
  EXPECT_THAT(read_file(path("analysis.html")), HasSubstr("hexquant-analyze-1"));
}

TEST_F(AnalyzeCommand, TheArticlesListingGivesItsReport) {
  // The article leaves data_bytes open ("..."); here: int8 weights, inputs and outputs.
  write_file(path("mobilenet_layers.json"), R"([
    {"name": "Conv1 3x3/2", "ops": 21676032, "data_bytes": 552800},
    {"name": "Final FC", "ops": 2560000, "data_bytes": 1282280}])");
  const RunResult run = this->run({"analyze", path("mobilenet_layers.json"), "--model", "article"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("Roofline 模型分析报告"));
  EXPECT_THAT(run.out, HasSubstr("[Conv1 3x3/2]\n 运算量: 0.02 GOPS | 数据量: 0.55 MB\n"
                                 " 算术强度: 39.2 ops/byte (脊点: 720.0)\n"
                                 " 瓶颈: 带宽瓶颈 | 预计耗时: 0.011 ms | 利用率: 5.4%\n"));
  EXPECT_THAT(run.out, HasSubstr("计算瓶颈层: 0 | 带宽瓶颈层: 2\n"));
  const Json json = result({"analyze", example("model.onnx"), "--model", "article"});
  EXPECT_EQ(json["latency_model"], "article");
  EXPECT_GT(json["layers"].size(), 0U);
}

TEST_F(AnalyzeCommand, AdviceIsOrderedByWhatItSaves) {
  const Json json = result({"advise", example("model.onnx"), "--act-bits", "16"});
  double last = 1e9;
  int advice = 0;
  for (const Json& finding : json["findings"]) {
    if (finding["saves_us"].is_null()) continue;
    EXPECT_LE(finding["saves_us"].get<double>(), last);
    last = finding["saves_us"].get<double>();
    ++advice;
  }
  EXPECT_GT(advice, 0);
}

TEST_F(AnalyzeCommand, RefusesWhatItCannotDo) {
  const auto expect = [&](std::vector<std::string> more, const std::string& message) {
    more.insert(more.begin(), {"analyze", example("model.onnx")});
    const RunResult run = this->run(more);
    EXPECT_EQ(run.status, 2) << run.out;
    EXPECT_THAT(run.err, HasSubstr(message));
  };
  expect({"--soc", "SM9999"}, "SM9999");
  expect({"--soc-figure", "clock_mhz"}, "KEY=NUMBER");
  expect({"--soc-figure", "speed=1"}, "ddr_effective_gb_per_s");
  expect({"--what-if", "act-bits=7"}, "act-bits=8 or 16");
  write_file(path("bad.json"), R"([{"name": "a", "ops": "many", "data_bytes": 1}])");
  const RunResult run = this->run({"analyze", path("bad.json"), "--model", "article"});
  EXPECT_EQ(run.status, 2);
  EXPECT_THAT(run.err, HasSubstr("[0].ops"));
}

}  // namespace
}  // namespace hexquant::cli
