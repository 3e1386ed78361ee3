#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/cli_testing.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::string profile_file(const std::string& name) {
  return std::string(HEXQUANT_SOURCE_DIR) + "/tests/profiling/profiles/" + name;
}

class ProfileCommand : public ProgramTest {
 protected:
  [[nodiscard]] std::string text(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "profile");
    const RunResult result = run(arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }
  /// Machine result, once it fits the published schema.
  [[nodiscard]] Json json(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--json", "-"});
    Json json = Json::parse(text(arguments));
    EXPECT_THAT(test::schema_violations(test::published_schema("profile"), json), IsEmpty());
    return json;
  }
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// The article's listing and ours on the same lines: equal but for the words.
TEST_F(ProfileCommand, PrintsTheTableOfTheArticle) {
  std::vector<std::string> expected = lines_of(read_file(profile_file("article.txt")));
  ASSERT_EQ(expected.size(), 11U);
  expected[0] = format("{:<50} {:>12} {:>8}", "layer", "mean (us)", "share");
  const std::size_t total = expected.size() - 3;
  expected[total] = format("{:<50} {:>10.1f} us {:>6.1f}%", "total", 756.9, 100.0);
  expected.back() = "mean inference latency: 0.76 ms";
  const std::vector<std::string> printed = lines_of(text({profile_file("article.log")}));
  const auto start = std::search(printed.begin(), printed.end(), expected.begin(), expected.end());
  EXPECT_NE(start, printed.end()) << testing::PrintToString(printed);
}

/// check_fallback_ops of the article.
TEST_F(ProfileCommand, NamesTheOperationsOnTheCpu) {
  const std::string with = text({profile_file("article.log")});
  EXPECT_THAT(with, HasSubstr("found 1 operation that fell back to the CPU:\n"
                              " Node pick CPU execute time: 410.25 us\n\nadvice:\n1. "));
  EXPECT_THAT(with, HasSubstr("the CPU takes 410.0 us of an inference, 54.2 %"));
  write_file(folder_ / "htp.log", "Node a HTP execute time: 3 us\n");
  EXPECT_THAT(text({"htp.log"}), HasSubstr("all operations ran on the HTP\n"));
}

TEST_F(ProfileCommand, MalformedLinesAreShownAndNeverFatal) {
  const RunResult result = run({"profile", profile_file("article.log")});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("1 malformed; 5 operations\n  line 12: no time in us"));
  EXPECT_THAT(result.out, HasSubstr("note: 1 of 13 lines"));
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(ProfileCommand, CyclesAreNoTime) {
  const RunResult result = run({"profile", profile_file("viewer_linting.txt")});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("values in cycles, which are no time"));
  EXPECT_THAT(result.out, HasSubstr("sum (no time, see below)"));
  EXPECT_THAT(result.out, Not(HasSubstr("latency")));
  EXPECT_THAT(result.out, HasSubstr("waits and overlap (cycles)"));
  EXPECT_THAT(result.out, HasSubstr("note: cycles of operations cannot be turned into time nor "
                                    "added up"));
  EXPECT_THAT(result.out, HasSubstr("1.26 times the critical path"));
  EXPECT_THAT(text({profile_file("viewer_basic.txt")}),
              HasSubstr("call overhead: 550 us of 1450 us"));
}

TEST_F(ProfileCommand, ReasonsOfTheProviderAndTheRules) {
  const std::vector<std::string> files = {profile_file("fallback/ort_htp.json"),
                                          profile_file("fallback/qnn_op_trace.json")};
  const Json vendor = json(files)["fallback"];
  EXPECT_EQ(vendor["operations"], 1);
  EXPECT_FALSE(vendor["no_accelerator"].get<bool>());
  ASSERT_EQ(vendor["nodes"].size(), 3U);
  for (const Json& node : vendor["nodes"]) {
    EXPECT_EQ(node["is_conversion"], node["name"] != "pick");
    EXPECT_THAT(node["reason"].get<std::string>(), HasSubstr("QNN EP"));
    EXPECT_GT(node["time_us"].get<double>(), 0.0);
  }
  const Json ours = json({profile_file("fallback/ort_htp.json"), "--model",
                          profile_file("fallback/model.onnx")})["fallback"];
  const auto pick = std::find_if(ours["nodes"].begin(), ours["nodes"].end(),
                                 [](const Json& node) { return node["name"] == "pick"; });
  ASSERT_NE(pick, ours["nodes"].end());
  EXPECT_THAT((*pick)["reason"].get<std::string>(), HasSubstr("no such operation"));
  EXPECT_THAT((*pick)["fix"].get<std::string>(), Not(IsEmpty()));
}

TEST_F(ProfileCommand, TraceWithoutAnAcceleratorSaysSo) {
  EXPECT_THAT(text({profile_file("fallback/ort_cpu.json")}),
              HasSubstr("the whole model ran on the CPU"));
}

TEST_F(ProfileCommand, FilesOfOneRunNameEachOther) {
  const Json result =
      json({profile_file("fallback/profile.csv"), profile_file("fallback/qnn_op_trace.json"),
            "--model", profile_file("fallback/model.onnx")});
  ASSERT_EQ(result["profiles"].size(), 1U);
  EXPECT_EQ(result["name_files"].size(), 1U);
  int mapped = 0;
  for (const Json& row : result["profiles"][0]["rows"]) {
    if (row["name"] != "conv1_token_1") continue;
    ++mapped;
    EXPECT_EQ(row["node"], "conv1");
    EXPECT_EQ(row["op"], "Conv");
    EXPECT_EQ(row["count"], 3);
  }
  EXPECT_EQ(mapped, 1);
  EXPECT_THAT(text({profile_file("fallback/profile.csv"),
                    profile_file("fallback/qnn_op_trace.json"), "--by", "op"}),
              HasSubstr("Conv2d "));
}

TEST_F(ProfileCommand, EveryFormatFitsTheSchema) {
  for (const char* name : {"article.log", "viewer_basic.txt", "viewer_detailed.txt",
                           "viewer_linting.txt", "diagview.txt", "viewer.csv", "chrometrace.json",
                           "qhas.json", "fallback/profile_qnn.log", "fallback/ort_cpu.json"}) {
    SCOPED_TRACE(name);
    const Json result = json({profile_file(name)});
    double share = 0.0;
    for (const Json& row : result["profiles"][0]["rows"]) share += row["share"].get<double>();
    const bool has_rows = !result["profiles"][0]["rows"].empty();
    EXPECT_NEAR(share, has_rows ? 1.0 : 0.0, 1e-9);
  }
}

TEST_F(ProfileCommand, ComparesTwoProfiles) {
  write_file(folder_ / "before.log",
             "Node a HTP execute 10 us\nNode b HTP execute 20 us\nNode gone HTP execute 1 us\n");
  write_file(folder_ / "after.log", "Node a HTP execute 30 us\nNode b HTP execute 15 us\n");
  const Json comparison = json({"before.log", "after.log", "--compare"})["comparison"];
  EXPECT_EQ(comparison["rows"][0]["name"], "a");
  EXPECT_EQ(comparison["rows"][0]["verdict"], "slower");
  EXPECT_EQ(comparison["rows"][1]["verdict"], "faster");
  EXPECT_EQ(comparison["rows"][2]["verdict"], "removed");
  EXPECT_THAT(text({"before.log", "after.log", "--compare"}), HasSubstr("total: 31.0 -> 45.0 us"));
  // Without it they are repetitions.
  EXPECT_THAT(text({"before.log", "after.log"}), HasSubstr("20.0 us   "));
  expect_refused(run({"profile", "before.log", "--compare"}),
                 "--compare needs two profiles, got 1");
  expect_refused(run({"profile", "before.log", profile_file("viewer_detailed.txt"), "--compare"}),
                 "only profiles in the same unit");
}

TEST_F(ProfileCommand, WritesCsvAndPage) {
  static_cast<void>(text({profile_file("viewer_linting.txt"), "--csv", "rows.csv", "--report",
                          "page.html", "--top", "1"}));
  const std::vector<std::string> rows = lines_of(read_file(folder_ / "rows.csv"));
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_THAT(rows[0], StartsWith("format,rank,name,node,op,"));
  EXPECT_THAT(rows[1], StartsWith("viewer-text,1,digits_conv,,,,HTP,,290000.000,cycles,"));
  EXPECT_THAT(rows[1], HasSubstr(",40.000,110000.000,20.000,HVX+HMX+DMA,,"));
  const std::string page = read_file(folder_ / "page.html");
  EXPECT_THAT(page, HasSubstr("hexquant-profile-1"));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST_F(ProfileCommand, RefusesWhatIsNoProfile) {
  write_file(folder_ / "other.txt", "hello\n");
  expect_refused(run({"profile", "other.txt"}), "other.txt: no profile: expected");
  expect_refused(run({"profile", "missing.log"}), "missing.log");
  expect_refused(run({"profile", profile_file("fallback/qnn_op_trace.json")}),
                 "only names of operations");
  EXPECT_EQ(run({"profile", "other.txt", "--format", "node-lines"}).status, 0);
}

}  // namespace
}  // namespace hexquant::cli
