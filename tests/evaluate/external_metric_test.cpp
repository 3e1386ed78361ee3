#include "evaluate/external_metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "core/file_io.h"
#include "core/json.h"
#include "data/npy.h"
#include "hexquant/error.h"
#include "support/temp_folder.h"

namespace hexquant::evaluate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

double run(const std::string& program, double time_limit_s = 30.0) {
  return run_metric_program(program, "/nowhere", {}, time_limit_s, silent_progress());
}

std::string failure_of(const std::string& program, double time_limit_s = 30.0) {
  try {
    (void)run(program, time_limit_s);
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    return error.what();
  }
}

TEST(MetricProgram, LastLineIsTheValue) {
  EXPECT_DOUBLE_EQ(run("echo loading; echo ' 0.75 '; true"), 0.75);
  EXPECT_DOUBLE_EQ(run("printf '1\\n-2.5e-1\\n\\n'; true"), -0.25);
}

TEST(MetricProgram, GetsFolderAndLabels) {
  const test::TempFolder folder;
  const auto script = folder.path() / "count";
  std::ofstream(script) << "echo $# >&2; [ \"$1\" = '/out put' ] || exit 3; echo $(($# * 10 + "
                           "${#2}))\n";
  const std::string program = "sh " + script.string();
  EXPECT_DOUBLE_EQ(run_metric_program(program, "/out put", "a b", 30.0, silent_progress()), 23.0);
  EXPECT_DOUBLE_EQ(run_metric_program(program, "/out put", {}, 30.0, silent_progress()), 10.0);
}

TEST(MetricProgram, CrashIsAnErrorWithItsLastWord) {
  EXPECT_THAT(failure_of("echo 1; echo 'no such column' >&2; exit 4; true"),
              HasSubstr("failed: exit status 4: no such column"));
  EXPECT_THAT(failure_of("kill -SEGV $$; true"), HasSubstr("failed: killed by signal 11"));
  EXPECT_THAT(failure_of("/no/such/program"), HasSubstr("failed: exit status 127"));
}

TEST(MetricProgram, NonsenseIsAnError) {
  EXPECT_THAT(failure_of("echo accuracy 0.7; true"),
              AllOf(HasSubstr("last line is 'accuracy 0.7"), HasSubstr("expected one finite")));
  EXPECT_THAT(failure_of("true"), HasSubstr("last line is ''"));
  EXPECT_THAT(failure_of("echo nan; true"), HasSubstr("'nan'"));
  EXPECT_THAT(failure_of("echo 0.5 0.6; true"), HasSubstr("'0.5 0.6'"));
}

TEST(MetricProgram, HangIsEndedWithItsChildren) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(failure_of("sleep 60 & sleep 60; true", 0.2), HasSubstr("did not end within 0.2 s"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(MetricProgram, LeftOverChildrenDoNotHoldItUp) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_DOUBLE_EQ(run("sleep 60 & echo 3; true"), 3.0);
  EXPECT_DOUBLE_EQ(run("setsid sleep 5 & echo 4; true"), 4.0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

TEST(MetricProgram, LongOutputIsNotKept) {
  EXPECT_DOUBLE_EQ(run("head -c 3000000 /dev/zero | tr '\\0' '1'; echo; echo 0.5; true"), 0.5);
}

TEST(MetricProgram, CancellingStopsIt) {
  class Cancelled final : public ProgressSink {
   public:
    void begin(const std::string&, std::int64_t) override {}
    void update(std::int64_t) override {}
    void end() override {}
    [[nodiscard]] bool cancelled() const override { return true; }
  } cancelled;
  try {
    (void)run_metric_program("sleep 60; true", "/nowhere", {}, 60.0, cancelled);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

TEST(OutputFolder, WritesOneFileForEachOutputAndSample) {
  const test::TempFolder temp;
  const OutputFolder folder(temp.path() / "run", "net.onnx", {"scores", "boxes/0"}, 2, 4);
  const Tensor scores = Tensor::from<float>({1, 2}, std::vector<float>{1, 2});
  folder.write(1, {scores, Tensor::scalar<std::int64_t>(7)});
  EXPECT_EQ(read_file(folder.path() / "output_0" / "000001.npy"), data::npy_bytes(scores));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "output_1" / "000001.npy"));
  const Json manifest = read_json(folder.path() / "manifest.json");
  EXPECT_EQ(manifest["model"], "net.onnx");
  EXPECT_EQ(manifest["files"], 2);
  EXPECT_EQ(manifest["batch"], 4);
  EXPECT_EQ(manifest["outputs"][1]["name"], "boxes/0");
  EXPECT_EQ(manifest["outputs"][1]["folder"], "output_1");
}

}  // namespace
}  // namespace hexquant::evaluate
