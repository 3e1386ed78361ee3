#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class InfoTest : public ProgramTest {
 protected:
  /// Runs `info` with --json and checks the result against the schema.
  [[nodiscard]] Json info(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "info");
    arguments.insert(arguments.end(), {"--json", "-"});
    const RunResult result = run(arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    Json json = Json::parse(result.out);
    EXPECT_THAT(test::schema_violations(test::published_schema("info"), json), IsEmpty());
    return json;
  }
};

TEST_F(InfoTest, describes_a_float_model) {
  const Json json = info({model("tiny_cnn.onnx")});
  EXPECT_EQ(json["quantization"]["form"], "none");
  EXPECT_TRUE(json["prepared"].is_null());
  std::int64_t nodes = 0;
  for (const auto& [op, count] : json["ops"].items()) nodes += count.get<std::int64_t>();
  EXPECT_EQ(json["nodes"], nodes);
  EXPECT_GT(json["ops"].at("Conv").get<int>(), 0);
  EXPECT_GT(json["parameters"].get<int>(), 0);
}

TEST_F(InfoTest, prepared_shows_passes_and_placement) {
  const Json json = info({model("tiny_pad.onnx"), "--prepared"});
  EXPECT_GT(json["prepared"]["passes"].at("fold_pad").get<int>(), 0);
  EXPECT_GT(json["prepared"]["integer_layers"].get<int>(), 0);
  EXPECT_LT(json["prepared"]["nodes"].get<int>(), json["nodes"].get<int>());
}

TEST_F(InfoTest, control_flow_is_a_finding) {
  const Json findings = info({model("tiny_if.onnx")})["findings"];
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0]["id"], "control-flow");
}

TEST_F(InfoTest, bad_input_is_one_line_and_status_2) {
  const RunResult result = run({"info", "absent.onnx"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("absent.onnx"));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
}

}  // namespace
}  // namespace hexquant::cli
